"""Parts of items that a portal does not give to the reading webhook, for `make doctor`."""

import asyncio
from collections.abc import Iterator, Mapping

from ops.deployed import Deployed
from ops.findings import LOOK, OK, Finding
from ops.secrets import READ_URL
from relay.aws_types import Client
from relay.errors import CallError, ConfigurationError, PermanentError
from relay.kinds import kind_of
from relay.portal import Portal, PortalApi, Webhook
from relay.tracking.part_rows import ROWS_METHOD
from relay.tracking.parts import NONE, PRODUCTS, REQUISITES, STEPS, PartsSetting
from relay.tracking.steps import HISTORY_METHOD
from relay.tracking.sweep_state import SweepDocument, SweepState

TRIED = {STEPS, PRODUCTS, REQUISITES}  # contacts can be asked for of an item only
OWNERS = [1, 2]  # an array: whether there are such items makes no difference


def findings_of_portal(
    portal: str, own: Mapping[str, str], dynamodb: Client, stack: Deployed
) -> Iterator[Finding]:
    """Yield what a portal's reading webhook may not read of the parts that `Parts` names."""
    if not (url := own.get(READ_URL)):
        return
    document = SweepState(dynamodb, stack.resources["StateTable"]).read(portal)
    try:
        setting = PartsSetting.parse(stack.parameters.get("Parts", NONE))
        client = Portal(Webhook.parse(url, allow_http=stack.allow_http))
        found = asyncio.run(part_findings(client, document, setting))
    except (ConfigurationError, CallError) as error:
        found = [Finding(LOOK, f"parts were not tried: {error}")]
    yield from found


async def part_findings(
    portal: PortalApi, document: SweepDocument, setting: PartsSetting
) -> list[Finding]:
    """Return which parts of which kinds can be read; raises a CallError if the portal is away."""
    kinds = [name for name, kind in document.kinds.items() if not kind.refused]
    asked = [(name, part) for name in sorted(kinds) for part in sorted(setting.of(name) & TRIED)]
    errors = await asyncio.gather(*(_refusal(portal, name, part) for name, part in asked))
    findings = []
    for (name, part), error in zip(asked, errors, strict=True):
        if error is None:
            continue
        if part == PRODUCTS and error.code.upper() == "ACCESS_DENIED":
            text = (
                f"{name}: product rows can't be asked for several items at once, which costs up to "
                "twenty times the requests, and perhaps not at all; an administrator's webhook "
                "can, or leave them out of Parts"
            )
        else:
            text = f"{name}: {part} are left unread ({error}); leave them out of Parts"
        findings.append(Finding(LOOK, text))
    read = sorted({part for _, part in asked})
    if read and not findings:
        findings.append(Finding(OK, f"{' and '.join(read)} can be read"))
    return findings


async def _refusal(portal: PortalApi, entity: str, part: str) -> PermanentError | None:
    """Return why a part of a kind can't be read, None if it can."""
    kind = kind_of(entity)
    try:
        if part == STEPS:
            await portal.call(HISTORY_METHOD, entityTypeId=kind.entity_type_id, start=-1)
        elif part == PRODUCTS:
            owners = {"=ownerType": kind.owner_code, "=ownerId": OWNERS}
            await portal.call(ROWS_METHOD, filter=owners, start=-1)
        else:
            owner = {"ENTITY_TYPE_ID": kind.entity_type_id, "@ENTITY_ID": OWNERS}
            await portal.call("crm.requisite.list", filter=owner, start=-1)
    except PermanentError as error:
        return error
    return None
