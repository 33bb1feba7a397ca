"""local.live: what is saved while the stack runs, runs in it; what it holds is kept."""

import shutil

import pytest
from playwright.sync_api import expect

from local.live import LiveStack
from ops.build import ROOT
from ops.new import new, remove

REACTION = "src/relay/reactions/follow_up.py"


@pytest.fixture
def project(tmp_path):
    """Return a copy of what the stack is made of."""
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=without)
    shutil.copy(ROOT / "template.yaml", tmp_path)
    for folder in ("events", "tests/unit/reactions"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def live(relay, project, await_until):
    """Return the running stack, which is put back to the project's own code at the end."""
    with LiveStack(relay.aws, relay.stack, project, **relay.parameters) as live:
        yield live
        put_back(project)
        await_until(live.take)


def put_back(project):
    """Save the project's own code."""
    for path in (ROOT / "src").rglob("*.py"):
        shutil.copy(path, project / path.relative_to(ROOT))
    shutil.copy(ROOT / "template.yaml", project)


def won_deal(relay, await_until, title):
    """Return the id of a new deal that the mirror holds, and that is won then."""
    deal = relay.portal.call("crm.item.add", entityTypeId=2, fields={"title": title})["item"]["id"]
    await_until(lambda: relay.is_announced(deal), 60)
    relay.portal.call("crm.item.update", entityTypeId=2, id=deal, fields={"stageId": "WON"})
    return deal


def test_a_saved_reaction_runs_and_its_effect_is_on_the_page(
    relay, project, live, browser, await_until
):
    """The saved text is what the reaction writes, without a new start of anything."""
    path = project / REACTION
    path.write_text(path.read_text("utf-8").replace("Follow-up: task", "Saved: task"), "utf-8")
    taken = await_until(live.take)
    assert (taken.files, taken.functions) == ((REACTION,), ("FollowUpFunction",))
    deal = won_deal(relay, await_until, "Saved chairs")
    page = browser.new_page(locale="en-US")
    page.goto(relay.portal.url)
    page.locator(f'[data-subject="deal/{deal}"] button').first.click()
    expect(page.locator("#card .timeline")).to_contain_text("Saved: task", timeout=60_000)
    page.close()


def test_code_that_can_not_run_leaves_the_former_code_at_work(relay, project, live, await_until):
    """An error at import is told with its line in the reaction; another file is not held back."""
    path = project / REACTION
    right = path.read_text("utf-8")
    path.write_text(f"{right}\nhandler = handler2\n", "utf-8")
    line = right.count("\n") + 2
    taken = await_until(live.take)
    assert (taken.files, taken.functions) == ((), ())
    assert taken.trouble.startswith("NameError: name 'handler2'")
    assert f"{REACTION}:{line} in <module>\n    handler = handler2" in taken.trouble
    other = "src/relay/reactions/greet_contact.py"
    (project / other).write_text((project / other).read_text("utf-8") + "\n", "utf-8")
    taken = await_until(live.take)
    assert (taken.files, taken.functions) == ((other,), ("GreetContactFunction",))
    assert taken.trouble == ""
    deal = won_deal(relay, await_until, "Kept chairs")
    entity = {"ENTITY_TYPE": "deal", "ENTITY_ID": deal}
    await_until(lambda: relay.portal.call("crm.timeline.comment.list", filter=entity), 60)


def test_a_new_reaction_is_an_update_that_keeps_the_mirror(relay, project, live, await_until):
    """`make new` and `make remove` beside the running stack; an older item's change is known."""
    deal = relay.portal.call("crm.item.add", entityTypeId=2, fields={"title": "Old"})["item"]["id"]
    await_until(lambda: relay.is_announced(deal), 60)
    new(project, "name_deal", "deal", "title")
    taken = await_until(live.take)
    assert taken.is_update
    assert "NameDealFunction" in taken.functions
    relay.portal.call("crm.item.update", entityTypeId=2, id=deal, fields={"title": "New"})
    await_until(
        lambda: f"deal {deal} was updated" in str(relay.portal.admin("notifications", "GET")), 60
    )
    remove(project, "name_deal")
    taken = await_until(live.take)
    assert taken.is_update
    assert "src/relay/reactions/name_deal.py (removed)" in taken.files
    pages = relay.aws.client("lambda").get_paginator("list_functions").paginate()
    handlers = [one["Handler"] for page in pages for one in page["Functions"]]
    assert "relay.reactions.name_deal.handler" not in handlers


def test_a_template_that_is_refused_is_told_and_the_stack_stays(relay, project, live, await_until):
    """The reason names what is wrong; a right template is taken afterwards."""
    path = project / "template.yaml"
    right = path.read_text("utf-8")
    path.write_text(right.replace("Type: AWS::SQS::Queue\n", "Type: AWS::SQS::Quue\n", 1), "utf-8")
    assert "AWS::SQS::Quue" in await_until(live.take).trouble
    path.write_text(right.replace("MemorySize: 512", "MemorySize: 640", 1), "utf-8")
    assert await_until(live.take).is_update
    sizes = {
        one["MemorySize"]
        for page in relay.aws.client("lambda").get_paginator("list_functions").paginate()
        for one in page["Functions"]
    }
    assert 640 in sizes
