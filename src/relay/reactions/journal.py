"""Every event -> one searchable line in the log: `hook.log`, kept where it can be asked."""

from aws_lambda_powertools.logging import Logger

from relay.event import Event
from relay.reaction import reaction

logger = Logger(service="journal")


@reaction
async def journal(event: Event) -> None:
    """Write down an event, whole."""
    logger.info(
        event.name,
        event_id=event.event_id,
        portal=event.portal,
        subject=event.subject,
        entity=event.entity,
        action=event.action,
        item_id=event.id,
        sent_at=event.sent_at,
        payload=event.payload,
    )


handler = journal.handler
