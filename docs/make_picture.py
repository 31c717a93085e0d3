"""Make README's picture of the demo's contact sheet: ``hashret demo --queries 4``, then this.

Greys keep a palette of their own, since a common one tints photographs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SHEET = Path("hashret-demo/contact-sheet.png")
PICTURE = Path("docs/images/demo.png")
WIDTH, GREYS, COLOURS = 1280, 64, 48

with Image.open(SHEET) as opened:
    sheet = opened.convert("RGB")
small = sheet.resize((WIDTH, sheet.height * WIDTH // sheet.width), Image.Resampling.LANCZOS)
pixels = np.asarray(small).reshape(-1, 3)
coloured = pixels[np.ptp(pixels, axis=1) > 24]
chosen = Image.fromarray(coloured[None]).quantize(COLOURS).getpalette() or []
greys = np.linspace(0, 255, GREYS).round().astype(int).repeat(3).tolist()
palette = Image.new("P", (1, 1))
palette.putpalette((greys + chosen[: 3 * COLOURS])[: 3 * 256])
picture = small.quantize(palette=palette, dither=Image.Dither.NONE)
picture.save(PICTURE, optimize=True)
print(PICTURE, PICTURE.stat().st_size, "bytes")
