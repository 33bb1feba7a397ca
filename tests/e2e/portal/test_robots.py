"""Robots on the page: one is added on a column's head, fires on a drag, and is removed."""

import re

from playwright.sync_api import expect


def test_a_robot_is_added_fires_and_is_removed(page, portal):
    """Its call is a row of the strip under its name; the address is shown nowhere."""
    (hook,) = portal.portal.outgoing.values()
    address = hook.url.replace("/bitrix24", "/robot/main/fakesecret/send_contract")
    portal.portal.robots.address = f"{address}?title={{=Document:TITLE}}"
    column = page.locator("[data-stage=EXECUTING]")
    column.get_by_role("button", name="+ robot").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Handler")).to_have_value(portal.portal.robots.address)
    dialog.get_by_role("button", name="Create").click()
    expect(dialog).to_be_hidden()
    expect(column.locator(".robot")).to_contain_text("send_contract")
    deal = page.locator("[data-stage=NEW] .deal").first
    number = deal.get_attribute("data-id")
    deal.drag_to(column)
    row = page.locator("#rows .event", has_text="robot.send_contract")
    expect(row).to_have_attribute("data-subject", f"deal/{number}")
    expect(row.locator("[data-step=sent]")).to_have_class(re.compile("done"))
    assert "fakesecret" not in page.locator("#rows").inner_html()
    assert "fakesecret" not in column.inner_html()
    column.get_by_role("button", name="Delete send_contract").click()
    expect(column.locator(".robot")).to_have_count(0)
