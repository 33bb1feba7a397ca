"""ops.mail_findings: whether an alarm would reach anybody."""

import pytest

from ops.deployed import Deployed, MissingPartError
from ops.findings import BAD, LOOK, OK
from ops.mail_findings import mail_findings

TOPIC = "arn:aws:sns:eu-central-1:1:relay-AlarmTopic"
ADA, OWN, CLICKED = "ada@example.com", f"{TOPIC}:1", f"{TOPIC}:2"


class Topic:
    """SNS, as its API describes the subscriptions of a topic."""

    def __init__(self, *subscribed):
        """Take the subscriptions' ARNs; one that waits has none yet."""
        self.subscribed = subscribed

    def get_paginator(self, operation):
        """Return the pages of the topic's subscriptions."""
        assert operation == "list_subscriptions_by_topic"
        return self

    def paginate(self, **request):
        """Yield a page for each subscription."""
        assert request == {"TopicArn": TOPIC}
        for arn in self.subscribed:
            yield {"Subscriptions": [{"SubscriptionArn": arn, "Endpoint": ADA}]}
        yield {"Subscriptions": []}

    @staticmethod
    def get_subscription_attributes(**request):
        """Return whether the subscription was confirmed with credentials of AWS."""
        own = str(request == {"SubscriptionArn": OWN}).lower()
        return {"Attributes": {"ConfirmationWasAuthenticated": own}}


def findings(*subscribed, resources=None, **parameters):
    """Return the findings about a stack with these parameters."""
    resources = {"AlarmTopic": TOPIC} if resources is None else resources
    stack = Deployed("relay", {}, parameters, resources)
    return list(mail_findings(Topic(*subscribed), stack))


@pytest.mark.parametrize(
    ("subscribed", "level", "text"),
    [
        ([OWN], OK, "alarms go to ada@example.com"),
        ([CLICKED], LOOK, "alarms go to ada@example.com, until somebody, or a mail gateway"),
        (["PendingConfirmation"], BAD, "nobody: ada@example.com has not opened the link"),
        (["Deleted"], BAD, "nobody, ada@example.com is not subscribed: `aws sns subscribe"),
        ([], BAD, f"`aws sns subscribe --topic-arn {TOPIC} --protocol email --notification-e"),
        (["PendingConfirmation", OWN], OK, "alarms go to ada@example.com"),
    ],
)
def test_a_mail_that_nobody_gets_is_bad(subscribed, level, text):
    """An address that has not confirmed, or was unsubscribed by its gateway, gets no alarm."""
    (found,) = findings(*subscribed, AlarmEmail=ADA, AlarmTopicArn="")
    assert found.level == level
    assert text in found.text


def test_a_program_gets_the_command_that_subscribes_again():
    """The command of AWS is the finding's own, whole."""
    (found,) = findings(AlarmEmail=ADA)
    assert found.document()["command"] == (
        f"aws sns subscribe --topic-arn {TOPIC} --protocol email --notification-endpoint {ADA}"
    )


def test_a_stack_that_tells_nobody_is_shown():
    """Without parameters alarms go nowhere; a topic of the user's own is not looked into."""
    (nobody,) = findings(AlarmEmail="", AlarmTopicArn="", resources={})
    assert nobody == (
        LOOK,
        "alarms go to nobody: set AlarmEmail or AlarmTopicArn (docs/production.md)",
    )
    assert findings(AlarmEmail=ADA, AlarmTopicArn=f"{TOPIC}-chat", resources={}) == [
        (OK, f"alarms go to {TOPIC}-chat")
    ]


def test_a_stack_without_its_topic_is_half_deployed():
    """An address without its topic is a part that is missing."""
    with pytest.raises(MissingPartError, match="AlarmTopic"):
        findings(AlarmEmail=ADA, resources={})
