"""How soon does saved code run? `python -m bench.saved [TIMES]`; needs `make run` beside it.

A reaction is saved as it is, then template.yaml with another size of memory, which is taken back at
the end. Times run from the save until the page, open in chromium, says that it runs.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bench.portal import FLAGS, chromium
from local.run import FOLDER
from ops.build import ROOT

REACTION, TEMPLATE = "src/relay/reactions/follow_up.py", "template.yaml"
LONGEST_SECONDS = 60
PAUSE_SECONDS = 2  # the machine is at rest again
LIMIT_SECONDS = 3


def main() -> int:
    """Measure and print; returns 1 where `make run` is not up, or a median is over the limit."""
    try:
        url = json.loads((FOLDER / "stack.json").read_text("utf-8"))["portal_url"]
    except FileNotFoundError:
        print("start `make run` in another terminal first", file=sys.stderr)
        return 1
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    path = ROOT / TEMPLATE
    template = path.read_text("utf-8")
    larger = iter(range(513, 513 + times))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(locale="en-US")
        page.goto(url)
        try:
            medians = [
                _line(page, REACTION, times, lambda: os.utime(ROOT / REACTION)),
                _line(page, TEMPLATE, times, lambda: _enlarge(path, template, next(larger))),
            ]
        finally:
            path.write_text(template, "utf-8")
            browser.close()
    return int(max(medians) > LIMIT_SECONDS)


def _enlarge(path: Path, template: str, megabytes: int) -> None:
    path.write_text(template.replace("MemorySize: 512", f"MemorySize: {megabytes}", 1), "utf-8")


def _line(page: Page, name: str, times: int, save: Callable[[], None]) -> float:
    took = []
    for _ in range(times):
        page.evaluate("document.getElementById('notice').textContent = ''")
        began = time.monotonic()
        save()
        notice = page.locator("#notice p", has_text=f"running {name}")
        notice.wait_for(timeout=LONGEST_SECONDS * 1000)
        took.append(time.monotonic() - began)
        time.sleep(PAUSE_SECONDS)
    median = statistics.median(took)
    print(f"{name:34} median {median:4.1f} s, longest {max(took):4.1f} s   ({LIMIT_SECONDS})")
    return median


if __name__ == "__main__":
    sys.exit(main())
