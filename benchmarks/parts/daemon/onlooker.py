"""A browser that looks at the page of a daemon, and what its tab takes."""

import itertools
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, sync_playwright

CHROMIUM = "/usr/bin/chromium"
PATIENCE = 600.0
"""Seconds that the browser may take for anything: the daemon leaves it little of the machine."""
VIEWS = ("live", "events", "live", "settings", "live", "status")
"""Shown in turn, one for each sample."""


class Onlooker:
    """Looks on in a thread of its own, as playwright wants it, and samples memory."""

    def __init__(self, address: str, token: str, pause: float) -> None:
        """Take the page's address, with a slash at its end, and the seconds between samples."""
        self.samples: list[dict[str, float]] = []
        """Seconds, megabytes of the heap (after its collection) and of the process, DOM nodes."""
        self.faults: list[str] = []
        """What went wrong in the page, or with it."""
        self._link, self._pause = f"{address}#token={token}", pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Onlooker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
                )
                self._look(browser)
                browser.close()
        except Exception as exc:  # noqa: BLE001 (it is reported where the run is judged)
            self.faults.append(f"the browser: {exc}")

    def _look(self, browser: Browser) -> None:
        page, begun = browser.new_page(), time.monotonic()
        page.on("pageerror", lambda fault: self.faults.append(f"the page: {fault}"))
        page.set_default_timeout(1000 * PATIENCE)
        page.goto(self._link)
        page.wait_for_selector(".scores li")
        tab, processes = page.context.new_cdp_session(page), browser.new_browser_cdp_session()
        tab.send("Performance.enable")
        for view in itertools.cycle(VIEWS):
            if self._over.is_set():
                return
            page.click(f"#tabs a[href='#{view}']")
            wait_until = time.monotonic() + self._pause
            while time.monotonic() < wait_until and not self._over.is_set():
                page.wait_for_timeout(500)  # and the browser's news are taken meanwhile
            self.samples.append(_sample(tab, processes, time.monotonic() - begun))


def _sample(tab: CDPSession, processes: CDPSession, seconds: float) -> dict[str, float]:
    tab.send("HeapProfiler.collectGarbage")
    found = {each["name"]: each["value"] for each in tab.send("Performance.getMetrics")["metrics"]}
    every: list[dict[str, Any]] = processes.send("SystemInfo.getProcessInfo")["processInfo"]
    resident = [_resident(each["id"]) for each in every if each["type"] == "renderer"]
    return {
        "seconds": round(seconds, 1),
        "heap": found["JSHeapUsedSize"] / 1e6,
        "nodes": found["Nodes"],
        "tab": max(resident, default=0.0),
    }


def _resident(process: int) -> float:
    """Return the megabytes of a process."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
