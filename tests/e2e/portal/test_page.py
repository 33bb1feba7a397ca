"""The page, driven by a real browser: move a deal, watch the strip, break things, mend them."""

import re

import pytest
import requests
from playwright.sync_api import expect

from local.portal.seed import seed

STEPS = ["sent", "verified", "published", "read", "changed", "reacted", "written"]


def first_row(page):
    """Find the newest row of the strip."""
    return page.locator("#rows .event").first


def expect_done(row):
    """Wait until all steps of a row are done."""
    for step in STEPS:
        expect(row.locator(f".step[data-step={step}]")).to_have_class(re.compile("done"))


def deal_in(page, stage):
    """Find the first deal of a stage."""
    return page.locator(f"[data-stage={stage}] .deal").first


def test_a_dragged_deal_runs_through_the_strip_to_its_comment(page):
    """One drag: the event is sent, everything follows, and the card shows the comment."""
    deal = deal_in(page, "NEW")
    number = deal.get_attribute("data-id")
    deal.drag_to(page.locator("[data-stage=EXECUTING]"))
    expect(page.locator(f"[data-stage=EXECUTING] [data-id='{number}']")).to_be_visible()
    row = first_row(page)
    expect(row).to_have_attribute("data-subject", f"deal/{number}")
    expect_done(row)
    row.get_by_role("button", name=f"deal/{number}").click()
    card = page.get_by_role("dialog")
    expect(card.locator(".timeline")).to_contain_text("Moved to EXECUTING")
    expect(card.locator(".history")).to_contain_text("EXECUTING")


def test_a_deal_is_moved_and_opened_with_the_keyboard_alone(page):
    """Alt and an arrow move it and keep the focus; Enter opens it; Escape closes it.

    A button keeps the focus, too, when what it has done is drawn.
    """
    deal = deal_in(page, "NEW")
    number = deal.get_attribute("data-id")
    deal.focus()
    page.keyboard.press("Alt+ArrowRight")
    moved = page.locator(f"[data-stage=PREPARATION] [data-id='{number}']")
    expect(moved).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect_done(first_row(page))
    deals = page.locator("[data-stage=NEW] .deal")
    number = deals.count()
    page.get_by_role("button", name="New deal").press("Enter")
    expect(deals).to_have_count(number + 1)
    expect(page.get_by_role("button", name="New deal")).to_be_focused()


def test_a_fault_is_switched_on_seen_and_healed(page):
    """503 for everything: the strip stops before the reading; switched off, it runs to its end."""
    page.get_by_role("switch", name="503: too many requests").check()
    deal_in(page, "NEW").drag_to(page.locator("[data-stage=EXECUTING]"))
    row = first_row(page)
    expect(row.locator("[data-step=published]")).to_have_class(re.compile("done"))
    refused = page.locator("[data-counter=refused] dd")
    expect(refused).not_to_have_text("0")
    expect(row.locator("[data-step=read]")).not_to_have_class(re.compile("done"))
    page.get_by_role("button", name="All off").click()
    expect(page.get_by_role("switch", name="503: too many requests")).not_to_be_checked()
    expect_done(row)


def test_two_hundred_edits_are_counted(page, portal):
    """The bulk buttons show how many events and requests a burst makes."""
    page.get_by_role("button", name="Make 200 deals").click()
    expect(page.locator("[data-stage=NEW] h3")).to_contain_text(re.compile(r"\d\d"))
    page.get_by_role("button", name="Edit 200 deals").click()
    expect(page.locator("[data-counter=events] dd")).to_have_text("200", timeout=20000)
    assert portal.portal.strip.counters["events"] >= 200
    assert page.locator("#rows .event").count() <= 40


def test_webhooks_are_made_and_used_in_developer_resources(page, portal):
    """An incoming one answers a request that was built; an outgoing one shows its token."""
    page.get_by_role("tab", name="Developer resources").click()
    incoming = page.locator("#incoming")
    incoming.get_by_text("Create").first.click()
    incoming.get_by_label("Name").fill("Reader")
    incoming.get_by_label("crm").check()
    incoming.get_by_role("button", name="Create").click()
    expect(incoming.locator(".hooks")).to_contain_text("Reader")
    builder = page.locator("#builder")
    builder.get_by_label("Address").select_option(index=1)
    builder.get_by_label("Method").fill("crm.item.get")
    builder.get_by_label("Method").blur()
    builder.get_by_role("button", name="Run").click()
    expect(builder.locator("pre")).to_contain_text('"stageId"')
    outgoing = page.locator("#outgoing")
    outgoing.get_by_text("Create").first.click()
    outgoing.get_by_label("Name").fill("Mine")
    outgoing.get_by_label("URL of your handler").fill("http://127.0.0.1:9/hook")
    outgoing.get_by_label("ONCRMLEADADD").check()
    outgoing.get_by_role("button", name="Create").click()
    expect(outgoing.locator(".hooks")).to_contain_text("Mine")
    made = list(portal.portal.outgoing.values())[-1]
    expect(outgoing.locator(".hooks")).to_contain_text(made.token)
    assert made.events == {"ONCRMLEADADD"}


def test_contacts_tasks_and_notifications_are_shown(page, portal):
    """A new contact appears at once, and can be opened; the other lists are there."""
    page.get_by_role("tab", name="Contacts").click()
    page.get_by_role("button", name="New contact").click()
    row = page.get_by_role("button", name=re.compile("Newman"))
    row.click()
    page.get_by_label("Position").fill("Director")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog").locator(".history")).to_contain_text("Director")
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Tasks").click()
    expect(page.locator("#panel")).to_contain_text("Call ")
    page.get_by_role("tab", name="Notifications").click()
    expect(page.locator("#panel")).to_contain_text("Nothing here yet.")
    assert len(portal.portal.items[3]) == 7


def test_tabs_languages_and_themes(page):
    """Arrow keys walk the tabs; Russian has a word for everything; both themes are kept."""
    page.locator("#tab-deals").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-contacts")).to_have_attribute("aria-selected", "true")
    page.locator("#language").click()
    expect(page.locator("#tab-contacts")).to_have_text("Контакты")
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    page.get_by_role("button", name="Тёмная").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("#strip-title")).to_have_text("Лента: путь каждого события")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    keys = page.evaluate("import('./page/strings.js').then(words => words.keys)")
    assert keys["en"] == keys["ru"]


@pytest.mark.parametrize("tab", ["deals", "contacts", "tasks", "talk", "developer"])
def test_it_is_readable_on_a_telephone(page, tab):
    """At 360 px nothing is wider than the screen."""
    page.set_viewport_size({"width": 360, "height": 740})
    page.locator(f"#tab-{tab}").click()
    expect(page.locator("#panel")).to_have_attribute("data-view", tab)
    expect(page.locator("#panel > *").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_second_portal_can_be_chosen(page, portal):
    """Each portal of a server has its page; the choice appears when there is one."""
    second = portal.add_portal("second", "second.bitrix24.example")
    portal.run(lambda: seed(second, deals=1))
    page.reload()
    page.locator("#portal").select_option("second")
    expect(page.locator("#domain")).to_have_text("second.bitrix24.example")
    expect(page.locator(".deal")).to_have_count(1)


def test_product_rows_are_edited_on_the_card(page, portal):
    """A row is added on the card: the total follows, the deal has it, and its event is sent.

    A change by somebody else, meanwhile, is in the history and takes no row away.
    """
    deal = deal_in(page, "NEW")
    number = int(deal.get_attribute("data-id"))
    deal.click()
    products = page.get_by_role("dialog").locator(".products")
    products.get_by_role("button", name="+ row").click()
    change = {"entityTypeId": 2, "id": number, "fields": {"title": "Changed"}}
    requests.post(f"{portal.webhook_url}crm.item.update", json=change, timeout=5)
    expect(page.locator("#card .history")).to_contain_text("Changed")
    for name, price in (("Chair", "10.50"), ("Delivery", "4")):
        if name == "Delivery":
            products.get_by_role("button", name="+ row").click()
        line = products.locator("tbody tr").last
        line.get_by_label("Product").fill(name)
        line.get_by_label("Price").fill(price)
    products.locator("tbody tr").first.get_by_label("Quantity").fill("2")
    expect(products.locator("output")).to_have_text("25.00")
    products.get_by_role("button", name="Save products").click()
    expect(page.locator("#said")).to_have_text("Saved")
    expect(first_row(page)).to_have_attribute("data-subject", f"deal/{number}")
    rows = list(portal.portal.tables["crm.item.productrow"].walk())
    assert {(row["ownerId"], row["productName"], row["price"]) for row in rows} == {
        (number, "Chair", 10.5),
        (number, "Delivery", 4),
    }
