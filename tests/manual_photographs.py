"""The folder that the manual's examples run in: photographs, copies of some, and what they name."""

from __future__ import annotations

import importlib
from pathlib import Path

from PIL import Image

# scikit-image's, in the public domain or CC0.
_NAMES = {
    "astronaut": "2019/astronaut.jpg",
    "camera": "2019/photographer.jpg",
    "chelsea": "Italy/cat.jpg",
    "coffee": "Italy/coffee.jpg",
    "coins": "2024/coins.jpg",
    "hubble_deep_field": "2024/galaxies.jpg",
    "rocket": "2024/rocket.jpg",
}
_TAKEN = 36867


def make(home: Path) -> Path:
    """Write `photos` and what lies beside it; return the folder of all."""
    data = importlib.import_module("skimage.data")
    for name, path in _NAMES.items():
        picture = Image.fromarray(getattr(data, name)()).convert("RGB")
        picture.thumbnail((640, 640))
        exif = Image.Exif()
        exif.get_ifd(0x8769)[_TAKEN] = f"{2019 if '2019' in path else 2024}:05:17 10:30:00"
        _save(picture, home / "photos" / path, exif=exif)
        small = picture.resize((picture.width // 2, picture.height // 2))
        if path.startswith("Italy"):
            _save(small, home / "photos" / "phone" / Path(path).name)
        if name == "chelsea":
            _save(small.crop((4, 4, small.width, small.height)), home / "photos" / "cat.jpg")
            mirrored = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            _save(mirrored, home / "photos" / "phone" / "mirrored.jpg")
    equal = (home / "photos/2024/rocket.jpg").read_bytes()
    (home / "photos/phone/rocket.jpg").write_bytes(equal)
    return home


def _save(picture: Image.Image, path: Path, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=85, **options)
