"""Images from a folder of photographs, read with pillow."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import DatasetNotFoundError, ImageError, ParameterError, import_extra
from .base import Images, Labels, Progress

if TYPE_CHECKING:
    from PIL import Image

EXTENSIONS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_MODES = {"rgb": "RGB", "grey": "L"}
Size = tuple[int, int]
Mode = Literal["rgb", "grey"]


@dataclass(frozen=True)
class ImageFolder:
    """The images of a folder.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, height, width, 3), or (n, height, width) if grey
    labels : ndarray of int64, shape (n,)
        Position in `class_names` of the first subfolder an image lies in; -1 if it lies in none.
    class_names : tuple of str
        The first-level subfolders that hold images, sorted.
    names : tuple of str
        Paths relative to the folder, with forward slashes, sorted; one an image.
    skipped : tuple of (str, str)
        Name of each unreadable image and what is wrong with it (``errors="skip"``).
    source : str
        The folder.
    """

    images: Images
    labels: Labels
    class_names: tuple[str, ...]
    names: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    source: str


def image_folder(
    path: str | os.PathLike[str],
    size: Size | None = None,
    *,
    mode: Mode = "rgb",
    errors: Literal["raise", "skip"] = "raise",
    progress: Progress | None = None,
) -> ImageFolder:
    """Read every image below a folder, in the order of their names.

    Parameters
    ----------
    path : path-like
    size : (height, width), optional
        Resize to this, without keeping the aspect ratio. Needed unless all images have one size.
    mode : {"rgb", "grey"}
    errors : {"raise", "skip"}
        What an unreadable image does: end the reading, or be listed in ``skipped``.
    progress : callable, optional
        Called as ``progress(images_done, images_total)``.

    Returns
    -------
    folder : ImageFolder

    Raises
    ------
    DatasetNotFoundError
        If there is no such folder.
    ImageError
        If the folder holds no (readable) image, or an image is damaged, too large
        (a decompression bomb), or of another size than the first one while `size` is None.

    Notes
    -----
    EXIF orientation is applied, transparency is laid over white, and of an animation the first
    frame counts. Hidden files and folders and linked folders are left out.
    """
    if errors not in ("raise", "skip"):
        raise ParameterError(f'errors: expected "raise" or "skip", got {errors!r}')
    root = Path(path).expanduser()
    names = _image_names(root)
    readers = [(name, partial(read_image, root / name, size, mode=mode)) for name in names]
    images, kept, skipped = read_images(readers, errors, progress)
    if not kept:
        raise ImageError(f"{root}: none of its {len(names)} images is readable: {skipped[0][1]}")
    folders = [name.split("/")[0] if "/" in name else "" for name in kept]
    class_names = tuple(sorted(set(folders) - {""}))
    positions = {"": -1} | {name: position for position, name in enumerate(class_names)}
    labels = np.array([positions[folder] for folder in folders], np.int64)
    return ImageFolder(images, labels, class_names, tuple(kept), tuple(skipped), str(root))


def read_image(
    source: str | os.PathLike[str] | bytes,
    size: Size | None = None,
    *,
    mode: Mode = "rgb",
    name: str | None = None,
) -> Images:
    """Read one image from a file or from the bytes of one.

    Parameters
    ----------
    source : path-like or bytes
    size : (height, width), optional
        Resize to this, without keeping the aspect ratio.
    mode : {"rgb", "grey"}
    name : str, optional
        What to call the image in errors; the path by default.

    Returns
    -------
    image : ndarray of uint8, shape (height, width, 3), or (height, width) if grey

    Raises
    ------
    ImageError
        If it is not an image, is damaged, or has more pixels than pillow's
        ``Image.MAX_IMAGE_PIXELS``.
    """
    if mode not in _MODES:
        raise ParameterError(f'mode: expected "rgb" or "grey", got {mode!r}')
    if size is not None and not (len(size) == 2 and min(size) >= 1):
        raise ParameterError(f"size: expected (height, width), both at least 1, got {size!r}")
    name = name or ("image" if isinstance(source, bytes) else os.fspath(source))
    pil = import_extra("PIL.Image", "images")
    try:
        with warnings.catch_warnings():
            # Pillow only warns of an image over its limit, and fails at twice the limit.
            warnings.simplefilter("error", pil.DecompressionBombWarning)
            with pil.open(BytesIO(source) if isinstance(source, bytes) else source) as image:
                return np.asarray(_prepare(image, size, _MODES[mode]))
    except (pil.DecompressionBombWarning, pil.DecompressionBombError) as error:
        raise ImageError(f"{name}: too many pixels: {error}") from error
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's decoders raise anything from SyntaxError to struct.error on damaged files.
        raise ImageError(f"{name}: not a readable image: {error}") from error


def read_images(
    readers: Sequence[tuple[str, Callable[[], Images]]],
    errors: Literal["raise", "skip"],
    progress: Progress | None,
) -> tuple[Images, list[str], list[tuple[str, str]]]:
    """Call each reader and stack the images; return them, their names, and what was skipped."""
    images: Images = np.empty((0, 0, 0), np.uint8)
    kept: list[str] = []
    skipped: list[tuple[str, str]] = []
    for done, (name, read) in enumerate(readers, start=1):
        try:
            image = read()
            if not kept:
                images = np.empty((len(readers), *image.shape), np.uint8)
            elif image.shape != images.shape[1:]:
                raise ImageError(
                    f"{name}: is {image.shape[:2]}, the first is {images.shape[1:3]}; pass size="
                )
        except ImageError as error:
            if errors == "raise":
                raise
            skipped.append((name, str(error)))
        else:
            images[len(kept)] = image
            kept.append(name)
        if progress is not None:
            progress(done, len(readers))
    return images[: len(kept)], kept, skipped


def _image_names(root: Path) -> list[str]:
    if not root.is_dir():
        raise DatasetNotFoundError(f"{root}: no such folder")
    names = sorted(_walk(root))
    if not names:
        raise ImageError(f"{root}: holds no images ({', '.join(sorted(EXTENSIONS))})")
    return names


def _walk(root: Path) -> Iterable[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(folder, name)
            if not name.startswith(".") and path.suffix.lower() in EXTENSIONS:
                yield path.relative_to(root).as_posix()


def _prepare(image: Image.Image, size: Size | None, mode: str) -> Image.Image:
    operations: Any = import_extra("PIL.ImageOps", "images")
    if size is not None:
        # JPEG can decode at 1/2, 1/4 or 1/8; twice the target leaves the resizing its quality.
        # Square, because EXIF may turn the image.
        image.draft(None, (2 * max(size), 2 * max(size)))
    image = operations.exif_transpose(image)
    image = _flatten(image).convert(mode)
    return image if size is None else image.resize((size[1], size[0]), reducing_gap=3.0)


def _flatten(image: Image.Image) -> Image.Image:
    """Lay transparency over white and bring 16-bit grey to 8 bits."""
    pil: Any = import_extra("PIL.Image", "images")
    flat: Image.Image = image
    if image.mode.startswith("I;16"):
        flat = pil.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.has_transparency_data:
        flat = pil.new("RGBA", image.size, "white")
        flat.alpha_composite(image.convert("RGBA"))
    return flat
