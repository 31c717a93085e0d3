"""Make the manual's picture of a group of duplicates: ``hashret demo``, then this.

It needs playwright and chromium. Where the folder lies on this machine is left out of the picture.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

DEMO, PICTURE = Path("hashret-demo").resolve(), Path("docs/images/duplicates.png")
SHORTEN = "folder => document.body.innerHTML = document.body.innerHTML.replaceAll(folder + '/', '')"
CHROMIUM = os.environ.get("HASHRET_CHROMIUM") or shutil.which("chromium")

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 860, "height": 600})
    page.goto((DEMO / "duplicates.html").as_uri())
    page.evaluate(SHORTEN, str(DEMO / "demo-photographs"))
    page.locator("section").filter(has_text="cat.jpg").first.screenshot(path=PICTURE)
    browser.close()

with Image.open(PICTURE) as opened:
    opened.convert("RGB").quantize(192, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
print(PICTURE, PICTURE.stat().st_size, "bytes")
