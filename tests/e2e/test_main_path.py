"""The way of an event to a REST call: HTTP, API Gateway, SNS, SQS, Lambda, REST."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.conftest import FORM, signed, wait_for_all


def comments(relay, contact_id):
    """Return the comments in a contact's timeline."""
    entity = {"ENTITY_TYPE": "contact", "ENTITY_ID": contact_id}
    return relay.portal.call("crm.timeline.comment.list", filter=entity)


def test_a_new_contact_is_greeted(relay, await_until):
    """A person adds a contact; its timeline gets one comment, the responsible one message."""
    person = {"NAME": "Анна", "LAST_NAME": "Король", "ASSIGNED_BY_ID": 2}
    contact = relay.portal.call("crm.contact.add", fields=person)
    (comment,) = await_until(lambda: comments(relay, contact))
    assert comment["COMMENT"] == "Welcome, Анна Король!"
    notices = await_until(
        lambda: [
            notification
            for notification in relay.portal.admin("notifications", "GET")
            if "Анна Король" in json.dumps(notification, ensure_ascii=False)
        ]
    )
    assert len(notices) == 1
    await_until(
        lambda: f'"subject":"contact/{contact}","sent_at"' in relay.log(f"contact/{contact}")
    )
    await_until(lambda: '"message":"ONCRMCONTACTADD"' in relay.log("ONCRMCONTACTADD"))


def test_500_events_of_8_clients_have_500_effects(relay):
    """Without faults no event is lost and none is handled twice."""
    dead = relay.messages("GreetContactDeadLetters")
    before = {int(row["ID"]) for row in relay.portal.call("crm.contact.list", start=-1)}
    relay.portal.admin("seed", deals=0, contacts=500, events=False)
    ids = [
        int(contact["ID"])
        for start in range(0, 600, 50)
        for contact in relay.portal.call("crm.contact.list", order={"ID": "ASC"}, start=start)
        if int(contact["ID"]) not in before
    ]
    assert len(ids) == 500
    with ThreadPoolExecutor(8) as clients:
        bodies = [signed(relay, "ONCRMCONTACTADD", contact) for contact in ids]
        answers = list(clients.map(relay.post, bodies))
    assert answers == [(200, {"id": f"main.contact.{contact}.add"}) for contact in ids]
    wait_for_all(lambda: sum(map(bool, counted(relay, ids).values())), 500)
    wait_for_all(lambda: -relay.messages("GreetContactQueue"), 0)
    assert counted(relay, ids) == dict.fromkeys(ids, 1)
    assert relay.messages("GreetContactDeadLetters") == dead


def counted(relay, ids):
    """Return the number of each contact's comments, asked for in batches."""
    counts = {}
    for at in range(0, len(ids), 50):
        ask = "crm.timeline.comment.list?filter[ENTITY_TYPE]=contact&filter[ENTITY_ID]="
        commands = {f"c{contact}": f"{ask}{contact}" for contact in ids[at : at + 50]}
        answer = relay.portal.call("batch", halt=0, cmd=commands)["result"]
        counts |= {contact: len(answer[f"c{contact}"]) for contact in ids[at : at + 50]}
    return counts


@pytest.mark.parametrize(
    ("body", "content_type", "method", "status"),
    [
        (b"event=ONCRMDEALADD&auth[application_token]=forged", FORM, "POST", 401),
        (b"", FORM, "POST", 400),
        (b"{}", "application/json", "POST", 415),
        (b"event=A&x=" + b"y" * 241 * 1024, FORM, "POST", 413),
        (b"event=A&x=" + b"y" * 1_000_000, FORM, "POST", 413),
        (b"\xff\xfe%zz\x00", FORM, "POST", 400),
        (None, FORM, "GET", 404),
        (b"event=A", FORM, "PUT", 404),
    ],
)
def test_what_is_not_the_portals_is_refused(relay, body, content_type, method, status):
    """Each bad request gets its own HTTP status, and nothing is published."""
    answered, answer = relay.post(body, content_type, method)
    assert answered == status
    assert "id" not in answer


def test_a_record_of_somebody_else_is_dead_lettered_with_its_reason(relay, await_until):
    """A message on the topic that is no event is dead-lettered."""
    relay.aws.client("sns").publish(
        TopicArn=relay.stack.outputs["EventsTopicArn"], Message='{"specversion": "1.0"}'
    )
    dead = await_until(lambda: taken(relay, "JournalDeadLetters", '{"specversion": "1.0"}'))
    assert dead["MessageAttributes"]["error"]["StringValue"] == "NotOursError"


def test_a_contact_that_is_gone_is_dead_lettered_with_the_portals_code(relay, await_until):
    """A call that can never work is dead-lettered with its method and reason, and not repeated."""
    assert relay.post(signed(relay, "ONCRMCONTACTADD", 999_999))[0] == 200
    dead = await_until(lambda: taken(relay, "GreetContactDeadLetters", '"contact/999999"'))
    attributes = {name: value["StringValue"] for name, value in dead["MessageAttributes"].items()}
    assert (attributes["method"], attributes["code"]) == ("crm.item.get", "NOT_FOUND")


def taken(relay, queue, text):
    """Return the message of a queue whose body contains a text, None where there is none."""
    sqs, url = relay.aws.client("sqs"), relay.stack.resources[queue]
    found = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
    for message in found.get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if text in message["Body"]:
            return message
    return None


@pytest.mark.usefixtures("without_topic")
def test_an_event_is_spilled_while_sns_fails_and_published_after(relay, await_until):
    """An event that ingress can't publish is answered 202, and published by republish."""
    status, answer = relay.post(signed(relay, "ONCRMDEALUPDATE", 4711))
    assert status == 202
    await_until(lambda: f'"event_id":"{answer["id"]}"' in relay.log(answer["id"]))
    await_until(lambda: relay.messages("SpillQueue") == 0)


@pytest.mark.usefixtures("without_topic")
def test_a_function_has_no_right_that_its_policy_does_not_name(relay):
    """Without the right to the spill queue a request is answered 503 and logged as lost."""
    iam, role = relay.aws.client("iam"), relay.stack.resources["IngressFunctionRole"]
    policies = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }
    # SAM's policy template; the local launcher's own policy names batches alone.
    (name,) = [
        name for name, policy in policies.items() if "sqs:SendMessage*" in json.dumps(policy)
    ]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    try:
        assert relay.post(signed(relay, "ONCRMDEALUPDATE", 4712))[0] == 503
    finally:
        iam.put_role_policy(
            RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policies[name])
        )


def test_no_secret_is_in_any_log(relay):
    """After the other tests the log contains neither the token nor the webhook's secret."""
    log = relay.log()
    secret = relay.portal.state["webhook_url"].rstrip("/").rsplit("/", 1)[1]
    assert len(log) > 10_000
    assert relay.token not in log
    assert secret not in log
