"""Every event -> one line of JSON in the log, which CloudWatch Logs Insights can query."""

from aws_lambda_powertools.logging import Logger

from relay.event import Event
from relay.reaction import reaction

logger = Logger(service="journal", location=None)


@reaction
async def journal(event: Event) -> None:
    """Log an event with all that the portal sent."""
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
