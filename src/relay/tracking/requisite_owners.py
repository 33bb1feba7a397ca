"""Hints of requisites and bank details -> hints of the companies and contacts that have them.

An event names the requisite, not its owner. The portal names the owners of a batch in one request,
or two where bank details are among them. A requisite that is gone names nobody: the daily reading
finds it.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from relay.portal import PortalApi
from relay.tracking.hint import merge
from relay.tracking.part_chunks import is_refused
from relay.tracking.parts import (
    BANK_DETAIL,
    REQUISITE,
    REQUISITE_OWNERS,
    REQUISITES,
    PartsSetting,
)
from relay.tracking.row import Key
from relay.tracking.track_messages import Hints, by_message


async def with_owners(
    hints: Hints, portal: PortalApi, setting: PartsSetting
) -> tuple[Hints, dict[str, Exception]]:
    """Return hints of items alone, and by message id the errors of messages with no owner yet."""
    asked = {key: hint for key, hint in hints.items() if key.entity in {REQUISITE, BANK_DETAIL}}
    if not asked:
        return hints, {}
    items = [hint for key, hint in hints.items() if key not in asked]
    try:
        owners = await _owners(portal, asked)
    except Exception as error:  # noqa: BLE001  only these hints come back
        failed = {} if is_refused(error) else dict.fromkeys(asked, error)
        return merge(items), by_message(asked, failed)
    for key, owner in owners.items():
        if REQUISITES in setting.of(owner.entity):
            items.append(replace(asked[key], key=owner, added=False))
    return merge(items), {}


async def _owners(portal: PortalApi, keys: Collection[Key]) -> Mapping[Key, Key]:
    """Return the company or contact of each requisite and bank detail that the portal shows."""
    requisite_of = {key: key.id for key in keys if key.entity == REQUISITE}
    details = {key.id: key for key in keys if key.entity == BANK_DETAIL}
    if details:
        named = {"@ID": sorted(details)}
        found = portal.list(
            "crm.requisite.bankdetail.list", filter=named, select=["ID", "ENTITY_ID"]
        )
        async for row in found:
            requisite_of[details[int(row["ID"])]] = int(row["ENTITY_ID"])
    if not requisite_of:
        return {}
    owners: dict[int, tuple[str, int]] = {}
    found = portal.list(
        "crm.requisite.list",
        filter={"@ID": sorted(set(requisite_of.values()))},
        select=["ID", "ENTITY_TYPE_ID", "ENTITY_ID"],
    )
    async for row in found:
        entity = REQUISITE_OWNERS.get(int(row["ENTITY_TYPE_ID"]))
        if entity:
            owners[int(row["ID"])] = entity, int(row["ENTITY_ID"])
    return {
        key: Key(key.portal, *owners[number])
        for key, number in requisite_of.items()
        if number in owners
    }
