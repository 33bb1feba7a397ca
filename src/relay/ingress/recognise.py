"""Form -> Event: the catalogue says what an event is about and where its id stands."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from relay.cloudevent import Parsed
from relay.errors import MalformedRequestError
from relay.event import Event
from relay.ingress.form import Form
from relay.kinds import KINDS, OLD_INVOICE, name_of

CATALOGUE: dict[str, dict[str, Parsed]] = json.loads(
    Path(__file__).with_name("catalogue.json").read_text("utf-8")
)

MAX_NAME_CHARACTERS = 100  # the longest documented code has 46

_DYNAMIC = re.compile(r"(ONCRMDYNAMICITEM(?:ADD|UPDATE|DELETE))_([0-9]{1,9})")
_NUMBER = re.compile(r"[1-9][0-9]{0,19}")
_EPOCH = re.compile(r"[0-9]{1,11}")

# An application's events repeat OAuth tokens inside `data` (bots, confirmations).
_CREDENTIALS = {"auth", "token", "access_token", "refresh_token", "application_token"}


def event_name(form: Form) -> str:
    """Return the event's code in upper case; raises MalformedRequestError where there is none.

    The code is logged before the request is verified, so its length and letters are limited.
    """
    name = form.get("event")
    if not isinstance(name, str) or not name.strip():
        raise MalformedRequestError("the form has no field `event`")
    name = name.strip().upper()
    if len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise MalformedRequestError("the field `event` is no event's code")
    return name


def to_event(form: Form, portal: str, request_id: str, received_at: float) -> Event:
    """Return the event of a verified form; `received_at` is seconds since 1970.

    Adding and deleting happen to an item only once, so their event's id is made of the item; any
    other event has the request's id.
    """
    name = event_name(form)
    payload = form.get("data", {})
    entity, action, entity_type_id, item_id = _identify(name, payload)
    sent_at = form.get("ts")
    sent = float(sent_at) if isinstance(sent_at, str) and _EPOCH.fullmatch(sent_at) else None
    auth = form["auth"]
    once = action in {"add", "delete"} and item_id and _NUMBER.fullmatch(item_id)
    if once and entity_type_id != OLD_INVOICE:  # its ids are not those of the new invoices
        numbered = f"message-{item_id}" if _is_chat_comment(name, payload) else item_id
        event_id = f"{portal}.{entity}.{numbered}.{action}"
    else:
        event_id = request_id
    return Event(
        event_id=event_id,
        portal=portal,
        name=name,
        time=iso(received_at if sent is None else sent),
        entity=entity,
        action=action,
        entity_type_id=entity_type_id,
        id=item_id,
        sent_at=None if sent is None else iso(sent),
        domain=text_of(auth.get("domain")),
        member_id=text_of(auth.get("member_id")),
        handler_id=text_of(form.get("event_handler_id")),
        payload=without_credentials(payload),
    )


def _identify(name: str, payload: Parsed) -> tuple[str | None, str | None, int | None, str | None]:
    """Return entity, action, entity type id and item id; all None for an unknown event."""
    dynamic = _DYNAMIC.fullmatch(name)
    entry = CATALOGUE.get(dynamic[1] if dynamic else name)
    if entry is None:
        return None, None, None, None
    entity: str = entry["entity"]
    entity_type_id = KINDS[entity].entity_type_id if entity in KINDS else None
    if entity == "invoice":  # the catalogue's: new invoices have the events of smart processes
        entity_type_id = OLD_INVOICE
    if entity == "dynamic_item":
        type_id = dynamic[2] if dynamic else _at(payload, "data.FIELDS.ENTITY_TYPE_ID")
        if type_id is None or not _NUMBER.fullmatch(type_id):
            return None, None, None, None  # an id without its type says nothing
        entity_type_id = int(type_id)
        entity = name_of(entity_type_id)
    item_id = None
    if _is_chat_comment(name, payload):
        item_id = _at(payload, "data.FIELDS_AFTER.MESSAGE_ID")
    elif entry["idPath"]:
        item_id = _at(payload, entry["idPath"])
        if item_id is None:  # timeline comments are documented flat and seen nested
            item_id = _at(payload, "data.FIELDS.ID")
    return entity, entry["action"], entity_type_id, item_id


def _is_chat_comment(name: str, payload: Parsed) -> bool:
    """Return whether a comment was written in a task's chat: its id is then a message's."""
    return name == "ONTASKCOMMENTADD" and _at(payload, "data.FIELDS_AFTER.ID") == "0"


def _at(payload: Parsed, path: str) -> str | None:
    """Return the text at a dotted path that begins with `data`; None where the path ends early."""
    value = payload
    for key in path.split(".")[1:]:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return text_of(value)


def text_of(value: Parsed) -> str | None:
    """Return a text that is not empty, None for anything else."""
    return value if isinstance(value, str) and value else None


def iso(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def without_credentials(value: Parsed) -> Parsed:
    """Return a nested value without the keys that are credentials, wherever they stand."""
    if isinstance(value, dict):
        return {
            key: without_credentials(item)
            for key, item in value.items()
            if key.lower() not in _CREDENTIALS
        }
    if isinstance(value, list):
        return [without_credentials(item) for item in value]
    return value
