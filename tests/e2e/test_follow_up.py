"""A deal is dragged to won: portal, event, mirror, change, reaction, portal."""

import time

import pytest

from local.aws import FILTER_DELAY_SECONDS


def test_a_won_deal_gets_one_task_and_one_comment(relay, await_until):
    """However often its event is sent again; the task is the responsible person's."""
    fields = {"title": "Ten chairs", "assignedById": 2}
    deal = relay.portal.call("crm.item.add", entityTypeId=2, fields=fields)["item"]["id"]
    await_until(lambda: relay.is_announced(deal), 60)
    relay.portal.call("crm.item.update", entityTypeId=2, id=deal, fields={"stageId": "WON"})
    entity = {"ENTITY_TYPE": "deal", "ENTITY_ID": deal}
    (comment,) = await_until(
        lambda: relay.portal.call("crm.timeline.comment.list", filter=entity), 60
    )
    for _ in range(3):
        body = (
            f"event=ONCRMDEALUPDATE&event_handler_id=1&data%5BFIELDS%5D%5BID%5D={deal}"
            f"&ts=1766047124&auth%5Bapplication_token%5D={relay.token}"
        )
        assert relay.post(body.encode())[0] == 200
    await_until(lambda: not relay.messages("TrackQueue") and not relay.messages("FollowUpQueue"))
    listed = relay.portal.call("crm.timeline.comment.list", filter=entity)
    asked = {"filter": {"UF_CRM_TASK": f"D_{deal}"}, "select": ["ID", "TITLE", "RESPONSIBLE_ID"]}
    tasks = [
        task
        for task in relay.portal.call("tasks.task.list", **asked)["tasks"]
        if task["title"] == "Call Ten chairs"
    ]
    assert [task["responsibleId"] for task in tasks] == ["2"]
    assert [one["COMMENT"] for one in listed] == [f"Follow-up: task {tasks[0]['id']}"]
    assert comment["COMMENT"] == listed[0]["COMMENT"]


@pytest.fixture
def old_filter(relay):
    """Let the reaction's subscription pass every Change, as one may for minutes after a deploy."""
    sns, arn = relay.aws.client("sns"), relay.stack.resources["FollowUpSubscription"]
    right = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["FilterPolicy"]

    def put(policy):
        sns.set_subscription_attributes(
            SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=policy
        )

    put("{}")
    time.sleep(FILTER_DELAY_SECONDS)
    yield
    put(right)


@pytest.mark.usefixtures("old_filter")
def test_what_an_old_filter_lets_through_gets_no_task(relay, await_until):
    """A changed filter is in force after up to 15 minutes: the reaction looks for itself."""
    fields = {"title": "Nine chairs", "assignedById": 2}
    deal = relay.portal.call("crm.item.add", entityTypeId=2, fields=fields)["item"]["id"]

    def handled():
        lines = [line for line in relay.log().split("{") if f"main.deal.{deal}." in line]
        return [line for line in lines if '"follow_up"' in line and '"handled"' in line]

    await_until(handled, 60)
    asked = {"filter": {"UF_CRM_TASK": f"D_{deal}"}, "select": ["ID"]}
    assert relay.portal.call("tasks.task.list", **asked)["tasks"] == []
