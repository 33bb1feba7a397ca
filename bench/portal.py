"""How quick the simulated portal is: `python -m bench.portal`; exits with 1 where a line is missed.

Measured through HTTP on one kept connection, medians of nine, and in a browser; limits stand in
brackets.
"""

import shutil
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import requests
from playwright.sync_api import sync_playwright

from local.demo import DemoPortal

_ROUNDS = 9
_SEEDED = 10_000
_MAX_MEGABYTES = 100
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
_WATCH_FRAMES = """() => {
  window.longest = 0
  let last = performance.now()
  const tick = now => {
    window.longest = Math.max(window.longest, now - last); last = now; requestAnimationFrame(tick)
  }
  requestAnimationFrame(tick)
}"""


def main() -> int:
    """Measure in a process of its own, so that its memory is the portal's."""
    with DemoPortal(plan="unlimited") as portal:
        missed = _measure(f"{portal.url}/")
        peak = _peak_megabytes(portal.process.pid)
    print(f"{'memory at its highest':42} {peak:8.0f} MB   ({_MAX_MEGABYTES})")
    return 1 if missed or peak > _MAX_MEGABYTES else 0


def _measure(url: str) -> int:
    missed = 0
    with requests.Session() as session:
        state = session.get(f"{url}admin/state").json()
        webhook = url + state["incoming"][0]["path"].lstrip("/")

        def line(name: str, limit: float, run: Callable[[], float]) -> None:
            nonlocal missed
            milliseconds = run() * 1000
            missed += milliseconds > limit
            print(f"{name:42} {milliseconds:8.1f} ms   ({limit:g})")

        line("10,000 deals seeded", 500, lambda: _seed(session, url))
        every = "&select[]=*"
        pages = {
            "a page of 50, all fields": {"entityTypeId": 2, "select": ["*"]},
            "a page of 50, counted, filtered": {
                "entityTypeId": 2,
                "filter": {"%title": "pump", ">opportunity": 100},
                "order": {"opportunity": "DESC"},
            },
            "a page of 50, start=-1": {"entityTypeId": 2, "start": -1, "order": {"id": "ASC"}},
        }
        for name, params in pages.items():
            # A filter over 10,000 deals with a sort is not what the line of 5 ms is about
            limit = 60 if "filtered" in name else 5
            line(name, limit, partial(_timed, session, webhook, "crm.item.list", params))
        lists = [
            f"crm.item.list?entityTypeId=2&start=-1&order[id]=ASC&filter[%3Eid]={50 * page}"
            for page in range(50)
        ]
        line(
            "a batch of 50 lists of 50",
            150,
            lambda: _timed(session, webhook, "batch", {"cmd": lists}),
        )
        line(
            "a batch of 50 lists of 50, all fields",
            150,
            lambda: _timed(session, webhook, "batch", {"cmd": [one + every for one in lists]}),
        )
        page = _page(url, session)
        line("the page: first paint", 1000, lambda: page["paint"])
        line("the page: longest frame at 200 events/s", 250, lambda: page["frame"])
    return missed


def _peak_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def chromium() -> str | None:
    """Return the path of the system's browser; None where there is none."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def _page(url: str, session: requests.Session) -> dict[str, float]:
    """Open the page, send it 200 events a second for five, and time its frames (seconds)."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.locator(".deal").first.wait_for()
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        # Nobody listens there: each delivery fails at once, which is drawn like any other
        hook = {"url": "http://127.0.0.1:9/", "events": ["ONCRMDEALUPDATE"]}
        session.post(f"{url}admin/outgoing", json=hook).raise_for_status()
        page.evaluate(_WATCH_FRAMES)
        for _ in range(25):
            started = time.perf_counter()
            session.post(f"{url}admin/bulk", json={"amount": 40}).raise_for_status()
            page.wait_for_timeout(max(1, 200 - (time.perf_counter() - started) * 1000))
        frame = page.evaluate("window.longest")
        events = page.locator("[data-counter=events] dd").inner_text()
        browser.close()
    print(f"{'the page: events that it shows':42} {events:>8}")
    return {"paint": paint / 1000, "frame": frame / 1000}


def _seed(session: requests.Session, url: str) -> float:
    started = time.perf_counter()
    answer = session.post(f"{url}admin/seed", json={"deals": _SEEDED})
    answer.raise_for_status()
    return time.perf_counter() - started


def _timed(session: requests.Session, webhook: str, method: str, params: object) -> float:
    taken = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        session.post(webhook + method, json=params).raise_for_status()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    sys.exit(main())
