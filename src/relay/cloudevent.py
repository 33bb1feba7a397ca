"""The envelope of every event and change that is published: CloudEvents 1.0, structured JSON."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from relay.errors import NotOursError
from relay.unsendable import IN_JSON

type Parsed = Any  # a value from JSON or a form, of which nothing is certain

SOURCE_PREFIX = "urn:bitrix24:"


class Envelope(NamedTuple):
    """A CloudEvent: `unique_id` is its `id`, `type_name` its `type`, `portal` from its `source`."""

    unique_id: str
    portal: str
    type_name: str
    time: str
    data: Mapping[str, Parsed]
    subject: str | None = None

    def to_json(self) -> str:
        """Return the CloudEvent as text that SNS and SQS take."""
        document = {
            "specversion": "1.0",
            "id": self.unique_id,
            "source": SOURCE_PREFIX + self.portal,
            "type": self.type_name,
            "time": self.time,
            "datacontenttype": "application/json",
            "data": self.data,
        }
        if self.subject:
            document["subject"] = self.subject
        return to_text(document)

    @classmethod
    def of(cls, document: object, *type_prefixes: str) -> Self:
        """Return the envelope of a JSON document; raises NotOursError for any other document.

        `type_prefixes` are how the CloudEvent's type may begin.
        """
        if not isinstance(document, Mapping):
            raise NotOursError(f"not a CloudEvent: {type(document).__name__} instead of an object")
        version, data = document.get("specversion"), document.get("data")
        if not str(version).startswith("1."):
            raise NotOursError(f"specversion is {version}, not 1.x")
        names = ("id", "source", "type", "time")
        texts = [value for name in names if isinstance(value := document.get(name), str)]
        if len(texts) < len(names) or not isinstance(data, Mapping):
            raise NotOursError(
                "not a CloudEvent: id, source, type, time (texts) and data (object) needed"
            )
        unique_id, source, type_name, time = texts
        if not type_name.startswith(type_prefixes):
            raise NotOursError(f"type is {type_name!r}, not {'* or '.join(type_prefixes)}*")
        return cls(unique_id, source.removeprefix(SOURCE_PREFIX), type_name, time, data)


def to_text(document: object) -> str:
    """Return a JSON document in the fewest characters, without any that SQS refuses."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
