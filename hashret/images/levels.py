"""The pixels of a picture, of whatever mode, as 8 bits on white."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ImageError
from ..extras import import_extra

if TYPE_CHECKING:
    from PIL import Image

# The numbers of TIFF's tags.
_BITS, _PHOTOMETRIC, _PLANES, _COLOUR_MAP, _SAMPLE_FORMAT = 258, 262, 284, 320, 339
_LOOSE_ALPHA = frozenset({"BMP", "DIB", "TGA"})


class UnfitImageError(ImageError):
    """A picture that may be sound, but has too many pixels, or levels of an unknown range."""


def prepare_tiff(image: Any, pil: Any) -> None:
    """Before a TIFF is decoded: refuse what pillow misreads, and allocate the pixels."""
    if (
        _tag(image, _PLANES) == 2
        and _tag(image, _BITS) == 16
        and image.info["compression"] == "raw"
    ):
        raise UnfitImageError(
            f"mode {image.mode} of TIFF: pillow takes separate planes of 16 bits for 8 bits; "
            "store the samples of a pixel together"
        )
    # Where pillow allocates the pixels, it holds their number against a limit of its own.
    image.im = pil.new(image.mode, image.size).im


def flat(image: Any, pil: Any, *, stretch: bool = False) -> Image.Image:
    """Lay transparency over white and bring the levels to 8 bits.

    Parameters
    ----------
    stretch : bool
        Whether to take numbers of unknown range, instead of refusing them: floating-point ones as
        0 to 1 if all lie there; others from the least to the largest of the picture.
    """
    if image.mode.startswith(("I", "F")) or _tag(image, _SAMPLE_FORMAT) not in (None, 1):
        return _eight_bits(image, pil, stretch)
    if image.mode == "LAB":
        return _from_lab(image)
    image = _with_sound_colours(image)
    # An icon of macOS with a palette comes without its Python half.
    if not (image.mode == "P" and image.palette is None) and not image.has_transparency_data:
        return image  # type: ignore[no-any-return]
    on_white: Image.Image = pil.new("RGBA", image.size, "white")
    on_white.alpha_composite(image.convert("RGBA"))
    return on_white


def _with_sound_colours(image: Any) -> Any:
    """Mend what writers are known to get wrong, and what pillow does not convert at once."""
    if image.mode == "La":
        return image.convert("LA")
    if image.mode == "RGBA" and image.format in _LOOSE_ALPHA:
        # A fourth byte that is 0 everywhere is a filler: nobody stores a picture of nothing.
        return image.convert("RGB") if image.getextrema()[3] == (0, 0) else image
    if image.mode == "P" and image.format == "TIFF":
        colours = image.tag_v2.get(_COLOUR_MAP, ())
        if colours and max(colours) < 256:
            # Of 16 bits each, says the format; some writers store 8.
            image.putpalette(bytes(colours), "RGB;L")
    return image


def _eight_bits(image: Any, pil: Any, stretch: bool) -> Image.Image:
    # In pillow, 16 bits of PNG and of PGM may come in its mode of 32 bits.
    unsigned = image.mode.startswith("I;16") and image.format != "FITS"
    if not (unsigned or (image.mode == "I" and image.format in ("PNG", "PPM"))):
        if stretch and image.mode.startswith(("I", "F")):
            return _stretched(image, pil)
        raise UnfitImageError(
            f"mode {image.mode} of {image.format}: signed, 32-bit or floating-point pixels, "
            "whose range is not known; scale them to 8 or to unsigned 16 bits"
        )
    values = np.asarray(image)
    levels = (values >> (_tag(image, _BITS) or 16) - 8).astype(np.uint8)
    if _tag(image, _PHOTOMETRIC) == 0:
        levels = 255 - levels
    clear = image.info.get("transparency")
    if clear is not None:
        levels[values == clear] = 255
    grey: Image.Image = pil.fromarray(levels)
    return grey


def _stretched(image: Any, pil: Any) -> Image.Image:
    values = np.asarray(image).astype(np.float32)
    finite = np.isfinite(values)
    low, high = (values[finite].min(), values[finite].max()) if finite.any() else (0.0, 0.0)
    if image.mode.startswith("F") and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    # In halves, as the difference of two large numbers may be none; NaN as black.
    span = max(high / 2 - low / 2, np.finfo(np.float32).tiny)
    share = np.nan_to_num(values / 2 - low / 2, posinf=float(span), neginf=0.0) / span
    levels = np.clip(np.rint(share * 255), 0, 255).astype(np.uint8)
    grey: Image.Image = pil.fromarray(255 - levels if _tag(image, _PHOTOMETRIC) == 0 else levels)
    return grey


def _tag(image: Any, tag: int) -> int | None:
    """Return the (first) value of a TIFF tag, or None."""
    value = image.tag_v2.get(tag) if image.format == "TIFF" else None
    return value[0] if isinstance(value, tuple) else value


def _from_lab(image: Image.Image) -> Image.Image:
    colours: Any = import_extra("PIL.ImageCms", "images")
    profiles = colours.createProfile("LAB"), colours.createProfile("sRGB")
    transform = colours.buildTransform(*profiles, "LAB", "RGB")
    converted: Image.Image = colours.applyTransform(image, transform)
    return converted
