"""A folder of photographs, made of those that scikit-image brings, searched and cleaned."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...collection import Collection
from ...collection.duplicates import find_duplicates, write_groups
from ...collection.queries import of_files
from ...collection.searching import default_encoder, search
from ...collection.showing import draw_sheet, render_page, strips_of
from ...datasets import fashion_mnist_sample
from ...extras import import_extra
from ...files import write_bytes
from ...types import Images
from ..steps import Steps

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Tour", "run_tour"]

# All may be shown: public domain or CC0, as scikit-image's own notes on its data say.
_PHOTOGRAPHS = {
    "astronaut": "astronaut.jpg",
    "camera": "photographer.jpg",
    "chelsea": "cat.jpg",
    "coffee": "coffee.jpg",
    "coins": "coins.jpg",
    "hubble_deep_field": "galaxies.jpg",
    "moon": "moon.jpg",
    "rocket": "rocket.jpg",
    "retina": "retina.jpg",
    "stereo_motorcycle": "motorcycle.jpg",
}
_FOLDER = "demo-photographs"
_CLOTHES = 240
_ENLARGED = 8
_ASKED_FOR = "cat.jpg"
_QUERIES = ("cat-on-the-phone.jpg", "shoe.png")
_K = 6
_SIDE = 240


@dataclass(frozen=True)
class Tour:
    """What the tour made.

    Attributes
    ----------
    folder : Path
        Of photographs, with its collection in it.
    images, groups : int
        How many images are searched, and how many groups of copies were found.
    queries : tuple of Path
        The pictures that were asked for.
    answers, sheet, duplicates : Path
        Pages and a picture of what was found.
    """

    folder: Path
    images: int
    groups: int
    queries: tuple[Path, ...]
    answers: Path
    sheet: Path
    duplicates: Path


def run_tour(out: str | Path, steps: Steps | None = None) -> Tour:
    """Write photographs and copies of them into a folder, index, search and look for copies.

    Parameters
    ----------
    out : path
        Folder for ``demo-photographs/`` and the pages; an earlier tour's are used again.
    steps : Steps, optional
        Where to report.
    """
    steps = steps or Steps()
    out = Path(out)
    folder = out / _FOLDER
    with steps.step("Writing photographs, and copies of them"):
        _write_photographs(folder)
        queries = _write_queries(out)
    with Collection.create([folder]) as collection:
        with steps.step("Indexing the folder") as advance:
            total = sum(1 for _ in folder.glob("*/*.*g"))
            collection.update(
                collection.default_encoders[0], on_batch=lambda report: advance(report.read, total)
            )
        with steps.step("Searching for two pictures, and looking for copies"):
            sheet, answers = _search(collection, queries, out)
            duplicates, groups = _find_duplicates(collection, out)
        images = len(collection.index("perceptual"))
    return Tour(folder, images, groups, queries, answers, sheet, duplicates)


def _write_photographs(folder: Path) -> None:
    """Write the originals, copies as a life with photographs makes them, and clothes."""
    for name, picture in _originals():
        _write(folder / "2024" / name, picture, quality=92)
        for kind, change in _CHANGES.items():
            _write(folder / kind / name, change(picture), quality=60)
    clothes = fashion_mnist_sample()
    for number, pixels in enumerate(clothes.test_images[:_CLOTHES]):
        what = clothes.class_names[clothes.test_labels[number]].lower().replace("/", "-")
        _write(folder / "clothes" / f"{number:03d} {what}.png", _enlarged(pixels))


def _write_queries(out: Path) -> tuple[Path, ...]:
    """Write two pictures that are not in the folder: a poor copy, and a shoe like others."""
    cat, shoe = (out / name for name in _QUERIES)
    picture = next(picture for name, picture in _originals() if name == _ASKED_FOR)
    _write(cat, _cropped(picture).convert("L").convert("RGB"), quality=50)
    clothes = fashion_mnist_sample()
    kind = list(clothes.class_names).index("Sneaker")
    (row, *_) = np.flatnonzero(clothes.train_labels == kind)
    _write(shoe, _enlarged(clothes.train_images[row]))
    return cat, shoe


def _originals() -> Iterator[tuple[str, Image.Image]]:
    data: Any = import_extra("skimage.data", "images")
    for source, name in _PHOTOGRAPHS.items():
        pixels = getattr(data, source)()
        pixels = pixels[0] if isinstance(pixels, tuple) else pixels
        yield name, _pillow().fromarray(np.ascontiguousarray(pixels)).convert("RGB")


def _write(path: Path, picture: Image.Image, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG" if path.suffix == ".png" else "JPEG", **options)
    if not path.exists() or path.read_bytes() != buffer.getvalue():
        write_bytes(path, buffer.getvalue())


def _pillow() -> Any:
    return import_extra("PIL.Image", "images")


def _enlarged(pixels: Images) -> Image.Image:
    picture: Image.Image = _pillow().fromarray(pixels)
    return picture.resize((_ENLARGED * picture.width, _ENLARGED * picture.height))


def _smaller(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // 2, picture.height // 2))


def _paler(picture: Image.Image) -> Image.Image:
    return picture.point([round(255 * (0.12 + 0.84 * level / 255)) for level in range(256)] * 3)


def _cropped(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    return picture.crop((width // 20, height // 20, width - width // 20, height - height // 20))


_CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "from the phone": _smaller,
    "retouched": _paler,
}


def _search(collection: Collection, queries: tuple[Path, ...], out: Path) -> tuple[Path, Path]:
    encoder = default_encoder(collection)
    found = search(collection, encoder, of_files(collection, encoder, [*map(str, queries)]), k=_K)
    strips = strips_of(found, _SIDE)
    lead = f"The {_K} nearest of the folder, by {encoder}."
    page = render_page("Pictures like these", lead, strips)
    write_bytes(out / "search.html", page.encode())
    buffer = io.BytesIO()
    draw_sheet(strips).save(buffer, "PNG")
    write_bytes(out / "search.png", buffer.getvalue())
    return out / "search.png", out / "search.html"


def _find_duplicates(collection: Collection, out: Path) -> tuple[Path, int]:
    groups = find_duplicates(collection.catalogue, collection.encoders["perceptual"])
    path = out / "duplicates.html"
    with open(path, "w", encoding="utf-8") as page:
        count = sum(1 for _ in write_groups(page, groups))
    return path, count
