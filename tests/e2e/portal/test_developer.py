"""Developer resources: robots, and a log of requests to look into; the strip's rows have theirs."""

import re

import requests
from playwright.sync_api import expect


def call(portal, method, **params):
    """Call a method over REST."""
    return requests.post(portal.webhook_url + method, json=params, timeout=10)


def test_a_robot_is_made_for_any_stage(page, portal):
    """A stage of another type than deals can be chosen; the robot is listed and can be deleted."""
    page.get_by_role("tab", name="Developer resources").click()
    robots = page.locator("#robots")
    robots.get_by_text("Create").first.click()
    robots.get_by_label("Stage").select_option(label="Lead, In progress")
    robots.get_by_label("Handler").fill("http://relay.example/robot/main/fakesecret/send_contract")
    robots.get_by_role("button", name="Create").click()
    expect(robots.locator(".hooks")).to_contain_text("send_contract Lead, In progress")
    (made,) = portal.portal.robots.all()
    assert (made.type_number, made.stage) == (1, "IN_PROCESS")
    robots.get_by_role("button", name="Delete").click()
    expect(robots.locator(".hooks li")).to_have_count(0)
    assert portal.portal.robots.all() == []


def test_a_request_is_looked_into_as_it_comes(page, portal):
    """It appears by itself; opened, it shows what was asked and answered, without the secret."""
    page.get_by_role("tab", name="Developer resources").click()
    log = page.locator("#calls")
    address = f"{portal.webhook_url}crm.deal.get"
    call(portal, "crm.deal.add", fields={"TITLE": address})
    row = log.locator("li", has_text="crm.deal.add")
    row.locator("summary").click()
    expect(row.get_by_label("Request")).to_contain_text("/rest/1/…/crm.deal.get")
    expect(row.get_by_label("Answer")).to_contain_text('"result": 13')
    assert portal.webhook.secret not in log.inner_html()


def test_a_batch_is_shown_command_by_command(page, portal):
    """Each command has its parameters, and its own result or error; failures can be picked out."""
    commands = {
        "one": "crm.item.get?entityTypeId=2&id=1",
        "gone": "crm.item.get?entityTypeId=2&id=99",
    }
    call(portal, "batch", cmd=commands)
    call(portal, "crm.deal.gte")
    page.get_by_role("tab", name="Developer resources").click()
    log = page.locator("#calls")
    expect(log.locator("ol > li")).to_have_count(2)
    batch = log.locator("ol > li", has_text="batch")
    batch.locator("summary").first.click()
    expect(batch.locator(".command")).to_have_count(2)
    gone = batch.locator(".command", has_text="gone: crm.item.get")
    gone.locator("summary").click()
    expect(gone.get_by_label("Request")).to_have_text(re.compile(r"entityTypeId=2\s+id=99"))
    expect(gone.get_by_label("Answer")).to_contain_text("NOT_FOUND")
    log.get_by_label("failed only").check()
    expect(log.locator("ol > li")).to_have_count(1)
    expect(log.locator("ol > li")).to_contain_text("ERROR_METHOD_NOT_FOUND")


def test_a_row_of_the_strip_shows_what_was_done_with_its_item(page, portal):
    """The reading and the comment that follow an event can be looked into below it."""
    call(portal, "crm.item.update", entityTypeId=2, id=1, fields={"title": "Ten chairs"})
    row = page.locator('#rows [data-subject="deal/1"]').first
    expect(row.locator("[data-step=written]")).to_have_class(re.compile("done"))
    row.locator(".requests > summary").click()
    written = row.locator(".calls li", has_text="crm.timeline.comment.add")
    written.locator("summary").click()
    expect(written.get_by_label("Request")).to_contain_text("Moved to")
    expect(row.locator(".calls")).not_to_contain_text("crm.item.update")


def test_a_failed_reaction_is_told_on_its_row(page, portal):
    """The chip has the error and the line of the reaction, until the record is handled."""
    call(portal, "crm.item.update", entityTypeId=2, id=2, fields={"title": "Ten chairs"})
    place = "src/relay/reactions/mine.py:7 in mine"
    detail = {"by": "mine", "error": "comes back: KeyError 'title'", "at": place}
    step = {"step": "reacted", "event_id": "c", "subject": "deal/2", "detail": detail}

    def tell(**more):
        requests.post(f"{portal.url}/admin/steps", json={**step, **more}, timeout=10)

    chip = page.locator('#rows [data-subject="deal/2"] [data-step=reacted]').first
    expect(chip).to_have_class(re.compile("done"))  # that of the stand-in
    tell()
    bad = page.locator("#rows [data-step=reacted].bad")
    expect(bad).to_contain_text(f"mine · comes back: KeyError 'title' · {place}")
    tell(detail={"by": "mine"})
    expect(bad).to_have_count(0)


def test_what_became_of_saved_code_is_told(page, portal, browser):
    """A refusal stays with its lines, on a page that is opened later too, until code runs again."""
    place = "src/relay/reactions/mine.py:31"
    refusal = {"text": "not running", "lines": ["SyntaxError: x", place], "bad": True}

    def tell(**notice):
        requests.post(f"{portal.url}/admin/notice", json=notice, timeout=10)

    tell(**refusal)
    later = browser.new_page()
    later.goto(portal.url)
    for tab in (page, later):
        expect(tab.locator("#notice.bad")).to_contain_text(place)
    later.close()
    tell(text="running src/relay/reactions/mine.py")
    expect(page.locator("#notice")).to_contain_text("M running src/relay/reactions/mine.py")
    expect(page.locator("#notice.bad")).to_have_count(0)
