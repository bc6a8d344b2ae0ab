"""Take the pictures of the page that README and docs show: the demo, looked at by a browser.

    .venv/bin/python scripts/screenshots.py [--folder docs/web] [--all]

Needs chromium (Debian's) and playwright, which `make test` installs. With `--all` every view is
taken in both schemes at 390 and 1,440 px, to be looked at.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
TOKEN, ADDRESS = "screenshots-only", "127.0.0.1:8098"
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
HEARD_SECONDS = 40.0
"""Of the recording, before the pictures are taken."""


def main() -> None:
    """Run the demo and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "web")
    parser.add_argument("--all", action="store_true")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        with demo(Path(folder)) as running:
            pages = open_pages(browser, everything=args.all)
            time.sleep(HEARD_SECONDS)
            for name, page in pages.items():
                take(page, args.folder / f"{name}.png", everything=args.all)
            running.terminate()
        browser.close()


def demo(folder: Path) -> subprocess.Popen[bytes]:
    """Start the demo with its page, which keeps what it remembers in a folder of its own."""
    config, sound = folder / "demo.yaml", folder / "long.wav"
    samples, rate = soundfile.read(ROOT / "configs" / "demo" / "home.ogg")
    soundfile.write(sound, np.concatenate([samples] * 5), rate)
    config.write_text(
        f"node: hallway\nsources:\n  kitchen:\n    file: {sound}\n"
        f"web: {{listen: '{ADDRESS}', token: {TOKEN}, changes: true}}\n"
    )
    environment = os.environ | {"STATE_DIRECTORY": str(folder), "RUNTIME_DIRECTORY": str(folder)}
    command = [sys.executable, "-m", "ast_edge", "run", "--config", config]
    process = subprocess.Popen(command, env=environment)
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://{ADDRESS}/api/alive", timeout=1).close()
            break
        except OSError:
            time.sleep(0.3)
    return process


def open_pages(browser: Browser, *, everything: bool) -> dict[str, Page]:
    """Let a browser look on in each size and scheme that is wanted."""
    wanted = [("desktop", "light"), ("phone", "dark")]
    if everything:
        wanted = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]
    pages = {}
    for size, scheme in wanted:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            device_scale_factor=2 if size == "phone" else 1,
            locale="en-GB",
        )
        page = context.new_page()
        page.on("console", lambda message: print("console:", message.text, file=sys.stderr))
        page.on("pageerror", lambda fault: print("fault:", fault, file=sys.stderr))
        page.goto(f"http://{ADDRESS}/#token={TOKEN}")
        page.wait_for_selector(".scores li")
        pages[f"{size}-{scheme}"] = page
    return pages


def take(page: Page, path: Path, *, everything: bool) -> None:
    """Take the live view; all others beside it if they are wanted."""
    page.bring_to_front()
    page.wait_for_timeout(500)
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(192).save(path, optimize=True)
    if everything:
        page.click(".scores li >> nth=0")
        page.wait_for_timeout(700)
        page.screenshot(path=path.with_name(f"{path.stem}-open.png"), full_page=True)
        for view in ("events", "settings", "status"):
            page.click(f"#tabs a[href='#{view}']")
            page.wait_for_timeout(700)
            page.screenshot(path=path.with_name(f"{path.stem}-{view}.png"), full_page=True)


if __name__ == "__main__":
    main()
