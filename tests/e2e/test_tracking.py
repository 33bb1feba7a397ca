"""An edit in the portal, its event, the reading, the mirror's stream, the Change."""

import json

import pytest

from relay.change import Change

DEALS = 500


@pytest.fixture(scope="module")
def changes(relay):
    """Return the function that takes what was announced since the last time."""
    sqs, topic = relay.aws.client("sqs"), relay.stack.outputs["ChangesTopicArn"]
    url = sqs.create_queue(QueueName="changes")["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": asked["Attributes"]["QueueArn"],
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    relay.aws.client("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=asked["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )

    def take():
        found = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(Change.from_cloudevent(json.loads(message["Body"])))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    return take


def sweep(relay):
    """Let a sweep run, and say how it went."""
    answer = relay.aws.client("lambda").invoke(FunctionName=relay.stack.resources["SweepFunction"])
    return json.loads(answer["Payload"].read())


def baselined(relay):
    """Run sweeps until the first filling of the mirror is complete."""
    said = sweep(relay)
    assert said in ({"main": "done"}, {"main": "under way elsewhere"})
    row = relay.aws.client("dynamodb").get_item(
        TableName=relay.stack.resources["StateTable"], Key={"pk": {"S": "sweep#main"}}
    )
    entities = json.loads(row["Item"]["document"]["S"])["entities"].values()
    return all(entity.get("refused") or entity["baseline"] == "done" for entity in entities)


def mirrored(relay):
    """Return how many deals the mirror holds."""
    rows = relay.aws.client("dynamodb").query(
        TableName=relay.stack.resources["Mirror"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "main/deal"}},
        Select="COUNT",
    )
    return rows["Count"]


def test_500_edits_are_announced_once_with_what_changed(relay, changes, await_until):
    """Each edit leads to one Change with field, before, after and version; an empty one to none."""
    relay.portal.admin("seed", deals=DEALS, contacts=0, events=False)
    await_until(lambda: baselined(relay) and mirrored(relay) >= DEALS, 120)
    await_until(lambda: not relay.messages("TrackQueue"), 120)
    deals = [
        deal
        for start in range(0, DEALS, 50)
        for deal in relay.portal.call(
            "crm.item.list", entityTypeId=2, order={"id": "DESC"}, start=start
        )["items"]
    ]
    for deal in deals:
        relay.portal.call(
            "crm.item.update",
            entityTypeId=2,
            id=deal["id"],
            fields={"title": f"edited {deal['id']}"},
        )
    found = []

    def all_there():
        found.extend(change for change in changes() if change.action == "updated")
        return len(found) >= DEALS and not relay.messages("TrackQueue")

    await_until(all_there, 120)
    relay.portal.call(
        "crm.item.update", entityTypeId=2, id=deals[0]["id"], fields={"title": found_title(deals)}
    )
    found.extend(change for change in changes() if change.action == "updated")
    titles = {str(deal["id"]): deal["title"] for deal in deals}
    assert len({change.change_id for change in found}) == DEALS
    assert len(found) == DEALS
    for change in found:
        assert change.action == "updated"
        assert "title" in change.changed
        assert change.before["title"] == titles[change.id]
        assert change.after["title"] == f"edited {change.id}"
        assert change.version >= 2
    assert relay.messages("TrackDeadLetters") == 0
    assert relay.messages("AnnounceDeadLetters") == 0


def found_title(deals):
    """Return the title that the first deal already has."""
    return f"edited {deals[0]['id']}"
