"""Take docs/page.webp and docs/page.ru.webp anew: `python -m bench.pictures`, beside `make run`.

A person wins a deal; the pictures show its way to what a reaction has written, in both languages.
"""

import base64
import json
import sys

from playwright.sync_api import Browser, Page, sync_playwright

from bench.latency import call
from bench.portal import FLAGS, chromium
from local.run import FOLDER
from ops.build import ROOT

PICTURES = {"en-US": "page.webp", "ru-RU": "page.ru.webp"}
QUALITY = 60  # text stays sharp
UNPUBLISHED = "#rows .event:not(:has([data-step=published].done))"
LONGEST_SECONDS = 120


def main() -> int:
    """Win a deal and take both pictures; returns 1 where `make run` is not up."""
    try:
        url = json.loads((FOLDER / "stack.json").read_text("utf-8"))["portal_url"]
    except FileNotFoundError:
        print("start `make run` in another terminal first", file=sys.stderr)
        return 1
    unpaid = {"entityTypeId": 2, "filter": {"stageId": "FINAL_INVOICE"}}
    deal = call(url, "crm.item.list", **unpaid)["items"][0]["id"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        pages = {name: _open(browser, url, language) for language, name in PICTURES.items()}
        call(url, "crm.item.update", entityTypeId=2, id=deal, fields={"stageId": "WON"})
        for name, page in pages.items():
            picture = _take(page, deal)
            (ROOT / "docs" / name).write_bytes(picture)
            print(f"docs/{name}: {len(picture) / 1000:.0f} kB")
        browser.close()
    return 0


def _open(browser: Browser, url: str, language: str) -> Page:
    page = browser.new_page(locale=language, viewport={"width": 1280, "height": 960})
    page.set_default_timeout(LONGEST_SECONDS * 1000)
    page.goto(url)
    page.locator("[data-counter=events]").wait_for()
    page.locator("#recount").click()
    return page


def _take(page: Page, deal: int) -> bytes:
    """Return the picture as soon as a reaction's write is on it, with the row's requests."""
    row = page.locator(f'#rows [data-subject="deal/{deal}"]').last
    for step in ("reacted", "written"):
        row.locator(f"[data-step={step}].done").wait_for()
    page.locator(UNPUBLISHED).first.wait_for(state="detached")
    row.locator(".requests summary").first.click()
    row.locator(".calls li").first.wait_for()
    taken = page.context.new_cdp_session(page).send(
        "Page.captureScreenshot", {"format": "webp", "quality": QUALITY}
    )
    return base64.b64decode(taken["data"])


if __name__ == "__main__":
    sys.exit(main())
