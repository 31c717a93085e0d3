"""Make the pictures of the page: ``python docs/make_screenshots.py``; needs chromium.

The photographs are scikit-image's own, in the public domain or CC0, cut into several that look
like those of one afternoon, with copies as they come from a telephone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageEnhance
from playwright.sync_api import Browser, Page, sync_playwright

from hashret.collection import Collection

IMAGES = Path(__file__).parent / "images"
# Of scikit-image, the folder it goes to, and the year.
SOURCES = {
    "astronaut": ("2021 Space museum", 2021),
    "rocket": ("2021 Space museum", 2021),
    "hubble_deep_field": ("2022 Night sky", 2022),
    "moon": ("2022 Night sky", 2022),
    "chelsea": ("2023 Cat", 2023),
    "coffee": ("2023 Breakfast", 2023),
    "stereo_motorcycle": ("2024 Garage", 2024),
    "camera": ("2024 On the bridge", 2024),
    "coins": ("2024 Collection", 2024),
    "gravel": ("2020 Garden", 2020),
    "grass": ("2020 Garden", 2020),
    "brick": ("2020 Garden", 2020),
}
NAMES = {"stereo_motorcycle": "motorcycle", "hubble_deep_field": "galaxies", "chelsea": "cat"}
CROPS = 7
_IN_SIGHT_ARE_THERE = """[...document.images].every((one) => {
  const { left, top } = one.getBoundingClientRect();
  return one.complete || left > innerWidth || top > innerHeight;
})"""
WIDE, HIGH = (1400, 900), (390, 844)


def photographs() -> Iterator[tuple[str, str, int, Image.Image]]:
    """Yield name, folder, year and picture."""
    rng = np.random.default_rng(7)
    for source, (folder, year) in SOURCES.items():
        pixels = getattr(skimage.data, source)()
        pixels = pixels[0] if isinstance(pixels, tuple) else pixels
        whole = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
        name = NAMES.get(source, source)
        yield f"{name}.jpg", folder, year, whole
        for number in range(1, CROPS):
            share = rng.uniform(0.55, 0.85, 2)
            size = [round(side * part) for side, part in zip(whole.size, share, strict=True)]
            left, top = (
                int(rng.integers(0, a - b + 1)) for a, b in zip(whole.size, size, strict=True)
            )
            part = whole.crop((left, top, left + size[0], top + size[1]))
            tone = ImageEnhance.Brightness(part).enhance(float(rng.uniform(0.85, 1.15)))
            yield f"{name} {number}.jpg", folder, year, tone


def write_collection(root: Path) -> None:
    """Write the photographs with times, copies of some, and a file that cannot be read."""
    copies = root / "From the telephone"
    copies.mkdir(parents=True)
    for count, (name, folder, year, picture) in enumerate(photographs()):
        time = f"{year}:{1 + count % 12:02}:{1 + count % 28:02} 12:{count % 60:02}:00"
        exif = Image.Exif()
        exif[306] = time
        exif.get_ifd(0x8769)[36867] = time
        (root / folder).mkdir(exist_ok=True)
        picture.save(root / folder / name, quality=92, exif=exif)
        if count % CROPS in (0, 3):
            small = picture.resize((picture.width * 2 // 3, picture.height * 2 // 3))
            small.save(copies / name, quality=70, exif=exif)
        if count % CROPS == 5:
            shutil.copy(root / folder / name, copies / f"copy of {name}")
    (copies / "half sent.jpg").write_bytes((root / "2023 Cat" / "cat.jpg").read_bytes()[:900])
    with Collection.create([root]) as collection:
        collection.update(collection.default_encoders[0])


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a collection, and give its address."""
    command = [sys.executable, "-m", "hashret", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


def page(browser: Browser, url: str, size: tuple[int, int], scheme: str) -> Page:
    """Open the page."""
    context = browser.new_context(
        base_url=url,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        device_scale_factor=2 if size == HIGH else 1,
        # Waiting for a condition is a script of ours in the page.
        bypass_csp=True,
    )
    opened = context.new_page()
    opened.set_default_timeout(120_000)
    return opened


def keep(opened: Page, name: str) -> None:
    """Write what is seen, when all pictures in sight are there."""
    opened.wait_for_function(_IN_SIGHT_ARE_THERE)
    opened.wait_for_timeout(600)
    path = IMAGES / f"page-{name}.webp"
    with Image.open(BytesIO(opened.screenshot())) as shot:
        shot.convert("RGB").save(path, quality=82, method=6)
    print(path, path.stat().st_size, "bytes")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder) / "Photographs"
        write_collection(root)
        path = os.environ.get("HASHRET_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        with serving(root) as url:
            for size, scheme, kind in ((WIDE, "light", ""), (HIGH, "dark", "-telephone")):
                opened = page(browser, url, size, scheme)
                where = {"where": 'name = cat.jpg and folder = "2023 Cat"'}
                (cat,) = opened.request.get("/api/images", params=where).json()["images"]
                opened.goto(f"/#/search?id={cat['id']}")
                opened.get_by_role("heading", name="similar images").wait_for()
                keep(opened, f"search{kind}")
                opened.goto("/#/duplicates")
                # When all groups are found.
                opened.wait_for_selector(".choosing .button:enabled")
                opened.keyboard.press("j")
                opened.keyboard.press("j")
                keep(opened, f"duplicates{kind}")
            opened = page(browser, url, WIDE, "dark")
            opened.goto("/#/folders")
            opened.wait_for_selector(".folder")
            keep(opened, "folders")
            opened.goto("/#/map")
            opened.wait_for_selector("canvas")
            opened.wait_for_timeout(4000)
            keep(opened, "map")
            opened.goto("/#/duplicates")
            opened.locator(".choosing .button:enabled").click()
            keep(opened, "clean-up")
        browser.close()


if __name__ == "__main__":
    main()
