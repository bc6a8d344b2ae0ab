"""Draw the icon and the logo of the Home Assistant app, of the icon of the page.

    .venv/bin/python scripts/app_icons.py

Needs chromium (Debian's) and playwright, which `make test` installs.
"""

from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
ICON = ROOT / "edge/ast_edge/web/static/icon.svg"
FOLDER = ROOT / "packaging/home-assistant/ast_edge"
PAGE = """<style>body {{ margin: 0; display: flex; align-items: center; gap: 16px; height: 100vh;
font: 600 30px 'DejaVu Sans', sans-serif; color: #0b7a6b }} svg {{ height: {height}px }}</style>
{icon}{name}"""


def main() -> None:
    """Write both files."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        for file, width, height, size, name in (
            ("icon.png", 128, 128, 128, ""),
            ("logo.png", 250, 100, 72, "ast-edge"),
        ):
            page = browser.new_page(viewport={"width": width, "height": height})
            text = PAGE.format(icon=ICON.read_text(), name=name, height=size)
            page.set_content(text)
            page.screenshot(path=FOLDER / file, omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()
