"""Event -> SNS; and, where that fails, the request as it came -> the spill queue."""

import json

from relay import settings
from relay.aws_types import Client
from relay.errors import RequestTooLargeError
from relay.event import Event
from relay.ingress.accept import Arrival
from relay.ingress.form import Request, mapping
from relay.ingress.robots import is_robot_call, spillable

MAX_MESSAGE_BYTES = 256 * 1024  # SNS's own limit on a message


def publish(event: Event, sns: Client, *, alone: bool) -> None:
    """Publish an event on the Events topic; raises botocore's errors, after 6 s at the latest.

    `alone`: its portal is the stack's only one. Raises RequestTooLargeError where the event's JSON
    is larger than SNS takes.
    """
    (topic_arn,) = settings.read("EVENTS_TOPIC_ARN")
    message = event.to_json()
    if len(message.encode()) > MAX_MESSAGE_BYTES:
        raise RequestTooLargeError(f"an event may have {MAX_MESSAGE_BYTES} bytes as JSON")
    # The group makes the queues behind the topic fair: one portal's flood does not delay another.
    # SQS bills it with each request.
    group = {} if alone else {"MessageGroupId": event.portal}
    sns.publish(TopicArn=topic_arn, Message=message, **group)


def spill(request: Request, arrival: Arrival, sqs: Client) -> None:
    """Put a request into the encrypted spill queue; raises botocore's errors.

    It is put there as it came, that of a robot with a digest in place of its secret.
    """
    (queue_url,) = settings.read("SPILL_QUEUE_URL")
    # A GET has no form, so its headers were not read.
    content_type = mapping(request.get("headers")).get("content-type", "")
    context: dict[str, object] = {
        "requestId": arrival.request_id,
        "timeEpoch": int(arrival.received_at * 1000),
    }
    spilled: dict[str, object] = {
        "headers": {"content-type": content_type},
        "requestContext": context,
        "body": request.get("body"),
        "isBase64Encoded": bool(request.get("isBase64Encoded")),
    }
    if is_robot_call(request):
        context["http"] = {"method": request["requestContext"]["http"]["method"]}
        spilled |= spillable(request)
    sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(spilled))
