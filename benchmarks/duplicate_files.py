"""Copies of photographs in the ways in which they come about, and what is no copy but like one.

Copies are re-encoded, resized, re-toned, grey, cropped, framed, captioned, shown on a screen,
mirrored or turned. Negatives are frames of bursts, blank pictures, and letters on one paper.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

__all__ = ["COPIES", "EASY", "TURNED", "make"]

T = Image.Transpose


def caption(image: Any, draw_text: str = "me, when the build is green") -> Any:
    bar = max(24, image.height // 8)
    made = Image.new("RGB", (image.width, image.height + bar), "white")
    made.paste(image, (0, bar))
    ImageDraw.Draw(made).text((8, bar // 5), draw_text, "black", ImageFont.load_default(bar // 2))
    return made


def screenshot(image: Any) -> Any:
    """A phone shows the picture between its bars."""
    made = Image.new("RGB", (720, 1280), "black")
    shown = ImageOps.contain(image, (720, 1100))
    made.paste(shown, ((720 - shown.width) // 2, (1280 - shown.height) // 2))
    draw = ImageDraw.Draw(made)
    font = ImageFont.load_default(28)
    draw.text((24, 14), "12:04", "white", font)
    draw.rectangle((630, 18, 690, 40), outline="white")
    for x in (120, 360, 600):
        draw.ellipse((x - 22, 1216, x + 22, 1260), outline="white", width=4)
    return made


def scaled(factor: float) -> Callable[[Any], Any]:
    return lambda image: image.resize(
        (max(1, round(image.width * factor)), max(1, round(image.height * factor))),
        Image.Resampling.LANCZOS,
    )


def cropped(share: float) -> Callable[[Any], Any]:
    """Cut so much of width and height off, unevenly."""

    def cut(image: Any) -> Any:
        x, y = round(image.width * share), round(image.height * share)
        return image.crop((x // 3, y * 2 // 3, image.width - x + x // 3, image.height - y // 3))

    return cut


def bordered(colour: str, share: float) -> Callable[[Any], Any]:
    return lambda image: ImageOps.expand(image, round(min(image.size) * share), colour)


# Kind: (what is done, JPEG quality) of each of its variants.
COPIES: dict[str, list[tuple[Callable[[Any], Any], int]]] = {
    "re-encoded, quality 30-90": [(lambda image: image, q) for q in (30, 50, 70, 90)],
    "resized, 0.25-2": [(scaled(f), 85) for f in (0.25, 0.5, 2)],
    "brightness, contrast ±20 %": [
        (lambda image, kind=kind, f=f: kind(image).enhance(f), 85)
        for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast)
        for f in (0.8, 1.2)
    ],
    "grey": [(lambda image: image.convert("L").convert("RGB"), 85)],
    "cropped by 5 %": [(cropped(0.05), 85)],
    "cropped by 10 %": [(cropped(0.10), 85)],
    "border": [(bordered("black", 0.06), 85), (bordered("white", 0.06), 85)],
    "caption bar": [(caption, 85)],
    "screenshot": [(screenshot, 85)],
    "mirrored": [(lambda image: image.transpose(T.FLIP_LEFT_RIGHT), 85)],
    "turned": [
        (lambda image, t=t: image.transpose(t), 85)
        for t in (T.ROTATE_90, T.ROTATE_180, T.ROTATE_270)
    ],
}
TURNED = ("mirrored", "turned")
EASY = tuple(COPIES)[:3]


def burst(image: Any) -> list[Any]:
    """Three frames, each shifted by a fifth of its width."""
    width, height = round(image.width * 0.7), round(image.height * 0.9)
    steps = [round(image.width * share) for share in (0, 0.15, 0.3)]
    return [image.crop((x, x // 4, x + width, min(image.height, x // 4 + height))) for x in steps]


# The paper of a sender: its name and colour.
PAPERS = (("Northern Water & Light", "#234a7c"), ("Alder Street Dental Care", "#7c2f23"))


def document(number: int, paper: int) -> Any:
    """A letter on the paper of one sender."""
    chance = random.Random(1000 * paper + number)
    sender, colour = PAPERS[paper]
    page = Image.new("RGB", (620, 877), "white")
    draw = ImageDraw.Draw(page)
    large, small = ImageFont.load_default(34), ImageFont.load_default(15)
    draw.rectangle((0, 0, 620, 90), colour)
    draw.text((40, 24), sender, "white", large)
    draw.text((40, 130), f"Invoice {chance.randrange(10**6):06}", "black", large)
    for line in range(chance.randrange(14, 26)):
        words = " ".join(
            "".join(chance.choices("abcdefghijklmnoprstu", k=chance.randrange(2, 9)))
            for _ in range(chance.randrange(3, 9))
        )
        draw.text((40, 200 + 24 * line), words, "black", small)
    return page


def make(photos: list[Path], folder: Path, count: int, paper: int) -> list[tuple[str, str, str]]:
    """Write all files; return name, kind and source of each.

    The first `count` photographs are copied, half as many are shot in bursts.
    """
    made: list[tuple[str, str, str]] = []

    def save(image: Any, kind: str, source: str, quality: int = 90) -> None:
        name = f"{len(made):06}.jpg"
        image.save(folder / name, quality=quality)
        made.append((name, kind, source))

    for number, path in enumerate(photos):
        image = Image.open(path).convert("RGB")
        source = f"photo {number}"
        if number < count:
            save(image, "original", source, 92)
            for kind, ways in COPIES.items():
                for way, quality in ways:
                    save(way(image), kind, source, quality)
        elif number < count + count // 2:
            for frame, part in enumerate(burst(image)):
                save(part, "burst", f"{source}, frame {frame}")
        else:
            save(image, "other", source)
    for number in range(40):
        shade = tuple(np.random.default_rng([paper, number]).integers(0, 256, 3).tolist())
        save(Image.new("RGB", (640, 480), shade), "blank", f"blank {number}")
        save(document(number, paper), "document", f"document {number}")
    return made
