"""Does the mail of an alarm reach anybody? For `make doctor`."""

from collections.abc import Iterator
from typing import Any

from ops.deployed import Deployed
from ops.findings import BAD, LOOK, OK, Finding

PAGE = "docs/production.md"
PENDING = "PendingConfirmation"  # stands where the ARN of a subscription will be


def mail_findings(sns: Any, stack: Deployed) -> Iterator[Finding]:
    """Yield whether alarms reach anybody: a mail's reader, or a gateway, may have ended them."""
    address = stack.parameters.get("AlarmEmail")
    if topic := stack.parameters.get("AlarmTopicArn"):
        yield Finding(OK, f"alarms go to {topic}")
        return
    if not address:
        yield Finding(LOOK, f"alarms go to nobody: set AlarmEmail or AlarmTopicArn ({PAGE})")
        return
    topic = stack.resource("AlarmTopic")
    subscribed = {
        one["SubscriptionArn"]: one["Endpoint"]
        for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        for one in page["Subscriptions"]
    }
    confirmed = {arn: to for arn, to in subscribed.items() if arn.startswith("arn:")}
    for arn, to in confirmed.items():
        attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        if attributes.get("ConfirmationWasAuthenticated") == "true":
            yield Finding(OK, f"alarms go to {to}")
        else:
            ended = "until somebody, or a mail gateway, opens the link at the end of one"
            yield Finding(LOOK, f"alarms go to {to}, {ended} ({PAGE})")
    if not confirmed and PENDING in subscribed:
        yield Finding(
            BAD, f"alarms go to nobody: {address} has not opened the link in AWS's mail ({PAGE})"
        )
    elif not confirmed:
        again = (
            f"aws sns subscribe --topic-arn {topic} --protocol email "
            f"--notification-endpoint {address}"
        )
        yield Finding(BAD, f"alarms go to nobody, {address} is not subscribed: `{again}` ({PAGE})")
