"""Make README's pictures of what the demo shows: ``hashret demo --queries 4``, then this.

Greys keep a palette of their own, since a common one tints photographs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

DEMO, IMAGES = Path("hashret-demo"), Path("docs/images")
WIDTH, GREYS = 1280, 64


def smaller(sheet: Path, picture: Path, colours: int) -> None:
    """Write a sheet at the width of the page, with few colours."""
    with Image.open(sheet) as opened:
        whole = opened.convert("RGB")
    small = whole.resize((WIDTH, whole.height * WIDTH // whole.width), Image.Resampling.LANCZOS)
    pixels = np.asarray(small).reshape(-1, 3)
    coloured = pixels[np.ptp(pixels, axis=1) > 24]
    chosen = Image.fromarray(coloured[None]).quantize(colours).getpalette() or []
    greys = np.linspace(0, 255, GREYS).round().astype(int).repeat(3).tolist()
    palette = Image.new("P", (1, 1))
    palette.putpalette((greys + chosen[: 3 * colours])[: 3 * 256])
    small.quantize(palette=palette, dither=Image.Dither.NONE).save(picture, optimize=True)
    print(picture, picture.stat().st_size, "bytes")


smaller(DEMO / "contact-sheet.png", IMAGES / "demo.png", 48)
smaller(DEMO / "search.png", IMAGES / "search.png", 192)
