"""Opens a report's page in Chromium and prints after how many seconds it could be used."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

from playwright.sync_api import sync_playwright


def main(runs: int) -> None:
    """Open the page; all `runs` must be in its table."""
    address = (Path(os.environ["MNISTLAB_RUNS_DIR"]) / "report" / "index.html").as_uri()
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        before = time.perf_counter()
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        seconds = time.perf_counter() - before
        rows = page.locator("#runs-table tbody tr").count()
        browser.close()
    if rows != runs:
        sys.exit(f"the page shows {rows} runs, expected {runs}")
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
