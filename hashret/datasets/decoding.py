"""One picture, from a file or from bytes, to pixels: read with pillow, whatever its name says.

Nothing of pillow's or of the process is changed: not its limit of pixels, not the warning filters.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import DTypeError, ImageError, ParameterError, import_extra
from .base import Images
from .metadata import without_metadata

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Mode", "Size", "looks_like_a_picture", "picture_suffixes", "printable", "read_image"]

Source: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview
Size: TypeAlias = tuple[int, int]
Mode: TypeAlias = Literal["rgb", "grey"]
Scale: TypeAlias = Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]

_MODES = {"rgb": "RGB", "grey": "L"}
_ORIENTATION = 0x0112
_UNSIGNED, _SIGNED = 1, 2  # TIFF 6.0, SampleFormat
# Premultiplied transparency is undone first.
_STRAIGHT = {"La": "LA", "RGBa": "RGBA"}
# A file of more bytes is not read twice, and as a whole, for the sake of damaged metadata.
_REPAIRED = 2**28
# So many bytes tell what a file is.
_PREFIX = 32
_KINDS: dict[Callable[[int], bool], str] = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
# Formats whose pictures pillow has another program draw.
_PROGRAMS = {"EPS", "WMF"}
# JPEG, PNG, GIF, TIFF and BigTIFF, JPEG 2000, JPEG XL.
_SIGNATURES = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL "),
)
# ISO/IEC 23008-12 and 21496: the brands of HEIF pictures, AV1 ones left to pillow.
_HEIF = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}
_HEIF_HINT = "a HEIF picture, which the extra 'heif' reads: pip install 'hashret[heif]'"
_RAW = b".3fr .arw .cr2 .cr3 .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2"
_HINTS = (
    dict.fromkeys(_RAW.decode().split(), "a RAW photograph: save it, or its preview, as JPEG")
    | dict.fromkeys((".heic", ".heif", ".hif"), _HEIF_HINT)
    | dict.fromkeys((".eps", ".ps"), "PostScript, a program, which is not run")
    | dict.fromkeys((".jxl", ".svg", ".exr", ".hdr", ".xcf"), "of a kind that pillow does not read")
)


def read_image(
    source: Source,
    size: Size | None = None,
    *,
    mode: Mode = "rgb",
    name: str | None = None,
    max_pixels: int | None = None,
) -> Images:
    """Read one picture from a file or from the bytes of one, whatever its suffix is.

    The orientation that EXIF or XMP tells is applied; other metadata may be damaged.
    Transparency is laid over white, and of an animation the first frame counts. Integers of 16
    bits are scaled by their full range, 65,535. Of 32-bit integers and floats nobody knows
    which value is white: their smallest becomes black, their largest white.

    Parameters
    ----------
    source : path-like or bytes-like
    size : (height, width), optional
        Resize to this, without keeping the aspect ratio.
    mode : {"rgb", "grey"}
    name : str, optional
        What to call the picture in errors; the path by default.
    max_pixels : int, optional
        How many pixels may be decoded: of a JPEG that is read for a small `size`, those of its
        half, quarter or eighth, unless it is progressive. By default pillow's
        ``Image.MAX_IMAGE_PIXELS``, 89,478,485 unless it was changed.

    Returns
    -------
    image : ndarray of uint8, shape (height, width, 3), or (height, width) if grey

    Raises
    ------
    ImageError
        If it is no picture, is damaged, has too many pixels, or is no file but a folder, a pipe, a
        socket or a device, which are not opened.
    ParameterError, DTypeError
        If another argument is unfit.
    """
    if mode not in _MODES:
        raise ParameterError(f'mode: expected "rgb" or "grey", got {mode!r}')
    size, limit = _checked(size, max_pixels)
    if isinstance(source, (bytearray, memoryview)):
        source = bytes(source)
    called = printable(name or _name_of(source))
    import_extra("PIL.Image", "images")
    try:
        with _open_bytes(source) as file:
            return _decode(file, source, size, _MODES[mode], limit)
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's decoders raise anything from SyntaxError to struct.error on damaged files.
        raise ImageError(f"{called}: {_reason(error)}") from error


def _name_of(source: str | os.PathLike[str] | bytes) -> str:
    try:
        return "image" if isinstance(source, bytes) else os.fsdecode(source)
    except TypeError:
        raise DTypeError(f"source: expected a path or bytes, got {type(source).__name__}") from None


def looks_like_a_picture(path: str, suffixes: frozenset[str]) -> bool:
    """Tell whether a file is to be read, or to be named where it cannot be.

    It has one of the suffixes, or else begins as photographs do, or else pillow knows it.
    What cannot be opened and has another suffix is none.
    """
    if os.path.splitext(path)[1].lower() in suffixes:
        return True
    try:
        with _open_bytes(path) as file:
            prefix = file.read(_PREFIX)
            return bool(prefix) and (_is_signed(prefix) or _identifies(file))
    except (OSError, ImageError):
        return False


def picture_suffixes() -> frozenset[str]:
    """Return the suffixes of what the installed pillow reads, and of photographs it does not."""
    pil: Any = import_extra("PIL.Image", "images")
    stub = import_extra("PIL.ImageFile", "images").StubImageFile
    # The common formats first, which are then looked for first.
    pil.preinit()
    pil.init()
    told = {
        name
        for name, (factory, _) in list(pil.OPEN.items())
        if name == "MPEG" or (isinstance(factory, type) and issubclass(factory, stub))
    }
    known = list(pil.registered_extensions().items())
    read = {suffix for suffix, name in known if name in pil.OPEN and name not in told}
    return frozenset(read | _HINTS.keys())


def _is_signed(prefix: bytes) -> bool:
    """Tell whether bytes begin as photographs do, so that one that cannot be read is named."""
    webp = prefix[:4] == b"RIFF" and prefix[8:12] == b"WEBP"
    return webp or _is_heif(prefix) or prefix.startswith(_SIGNATURES)


def _is_heif(prefix: bytes) -> bool:
    return prefix[4:8] == b"ftyp" and prefix[8:12] in _HEIF


def _identifies(file: IO[bytes]) -> bool:
    try:
        with _open_picture(file):
            return True
    except Exception:
        return False


def _checked(size: Size | None, max_pixels: int | None) -> tuple[Size | None, float]:
    if size is not None:
        numbers = tuple(size) if isinstance(size, (tuple, list, np.ndarray)) else ()
        if len(numbers) != 2 or not all(_is_positive(number) for number in numbers):
            raise ParameterError(f"size: expected (height, width), both at least 1, got {size!r}")
        size = int(numbers[0]), int(numbers[1])
    limit = _limit(max_pixels)
    if size is not None and size[0] * size[1] > limit:
        raise ParameterError(
            f"size: expected at most {limit:,} pixels, got {size[0]} x {size[1]}; see max_pixels="
        )
    return size, limit


def _limit(max_pixels: int | None) -> float:
    if max_pixels is None:
        usual = import_extra("PIL.Image", "images").MAX_IMAGE_PIXELS
        return float("inf") if usual is None else usual
    if isinstance(max_pixels, bool) or not isinstance(max_pixels, (int, np.integer)):
        raise DTypeError(f"max_pixels: expected an int, got {type(max_pixels).__name__}")
    if max_pixels < 1:
        raise ParameterError(f"max_pixels: expected at least 1, got {max_pixels}")
    return int(max_pixels)


def _is_positive(number: object) -> bool:
    whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    return whole and int(number) >= 1  # type: ignore[call-overload]


@contextmanager
def _open_bytes(source: str | os.PathLike[str] | bytes) -> Iterator[IO[bytes]]:
    """Open a file that is one: opening a pipe would wait, and reading a device never ends."""
    if isinstance(source, bytes):
        yield BytesIO(source)
        return
    # Looked at before, because opening some devices does something, and after, because it is
    # then that file and no other.
    _check_regular(os.stat(source))
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(source, flags | getattr(os, "O_CLOEXEC", 0)), "rb") as file:
        _check_regular(os.fstat(file.fileno()))
        yield file


def _check_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kinds = (word for is_kind, word in _KINDS.items() if is_kind(found.st_mode))
        raise ImageError(f"is {next(kinds, 'something else')}, not a file")


def _decode(file: IO[bytes], source: object, size: Size | None, mode: str, limit: float) -> Images:
    try:
        return _read(file, size, mode, limit)
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        found = _read_bare(file, size, mode, limit)
        if found is not None:
            return found
        if isinstance(error, _UnknownFormatError):
            hint = _hint(file, source, str(error))
            raise ImageError(f"not a readable image: {hint}") from None
        raise


def _read_bare(file: IO[bytes], size: Size | None, mode: str, limit: float) -> Images | None:
    """Read a picture without the metadata that may be all that is damaged; None if it is not."""
    file.seek(0)
    if not _is_signed(file.read(_PREFIX)):
        return None
    file.seek(0)
    data = file.read(_REPAIRED + 1)
    bare = without_metadata(data) if len(data) <= _REPAIRED else None
    if bare is None:
        return None
    try:
        return _read(BytesIO(bare), size, mode, limit)
    except (ImageError, MemoryError):
        raise
    except Exception:
        return None


def _read(file: IO[bytes], size: Size | None, mode: str, limit: float) -> Images:
    with _open_picture(file) as picture:
        _draft(picture, size, limit)
        upright = _upright(picture)
        image = _as_shown(upright, _levels_of(picture))
        if image.mode in ("LAB", "HSV"):  # which pillow turns into RGB alone
            image = image.convert("RGB")
        if image.mode != mode:
            image = image.convert(mode)
        if size is not None:
            image = image.resize((size[1], size[0]), reducing_gap=3.0)
        return np.asarray(image)


def _draft(picture: Image.Image, size: Size | None, limit: float) -> None:
    """Have no more decoded than a size needs, and raise if that is too much."""
    width, height = picture.size
    if size is not None:
        # JPEG can decode at 1/2, 1/4 or 1/8; twice the target leaves the resizing its quality.
        # Square, because EXIF may turn the image.
        picture.draft(None, (2 * max(size), 2 * max(size)))
    if not picture.info.get("progressive"):  # of which all coefficients are held
        width, height = picture.size
    if width * height > limit:
        raise ImageError(
            f"too many pixels: {width} x {height} is more than {limit:,}; see max_pixels="
        )


class _UnknownFormatError(Exception):
    """No format that pillow knows; with words, one that it begins as, and what is wrong."""


def _open_picture(file: IO[bytes]) -> Image.Image:
    """Identify a picture and read its header, as ``PIL.Image.open`` does but for its limit.

    That limit is checked against the full size of a JPEG that is decoded at an eighth, and
    lifting it, or the warning it gives, would change the process for all other threads.
    """
    pil: Any = import_extra("PIL.Image", "images")
    file.seek(0)
    prefix = file.read(16)
    tried: set[str] = set()
    words = ""
    # The common formats first, then all: as pillow does, to import no more than is needed.
    for load in (pil.preinit, pil.init):
        load()
        for name in [name for name in list(pil.ID) if name not in tried | _PROGRAMS]:
            tried.add(name)
            factory, accept = pil.OPEN[name]
            try:
                accepted = accept is None or accept(prefix)
                if isinstance(accepted, str):
                    words = accepted
                elif accepted:
                    file.seek(0)
                    picture: Image.Image = factory(file, "")
                    return picture
            except (SyntaxError, IndexError, TypeError, struct.error) as error:
                if accept is not None and _is_signed(prefix):
                    words = words or f"begins as {name}: {error}"
    return _open_heif(file, prefix, words)


def _open_heif(file: IO[bytes], prefix: bytes, words: str) -> Image.Image:
    """Open what the extra reads, without entering it into pillow's formats."""
    if not _is_heif(prefix):
        raise _UnknownFormatError(words)
    try:
        plugin: Any = import_extra("pi_heif", "heif")
    except ImportError:
        raise _UnknownFormatError from None
    file.seek(0)
    picture: Image.Image = plugin.HeifImageFile(file, "")
    return picture


def _hint(file: IO[bytes], source: object, words: str) -> str:
    """Say what a picture is that no format fits, or that a format fits no further."""
    file.seek(0)
    prefix = file.read(_PREFIX)
    if _is_heif(prefix):
        return _HEIF_HINT
    if not prefix:
        return "the file is empty"
    suffix = "" if isinstance(source, bytes) else os.path.splitext(os.fsdecode(source))[1]  # type: ignore[arg-type]
    return _HINTS.get(suffix.lower(), words or "of no format that the installed pillow knows")


def _reason(error: Exception) -> str:
    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "not there, or a link to what is not there"
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP):
        return f"cannot be opened: {error.strerror}"
    return f"not a readable image: {error or type(error).__name__}"


def printable(name: str) -> str:
    """Return a name that can be printed, whatever bytes the file system has for it."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)


def _upright(picture: Image.Image) -> Image.Image:
    """Turn a picture as its metadata tells."""
    turns: Any = import_extra("PIL.Image", "images").Transpose
    method = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_270,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_90,
    }.get(_orientation(picture))
    picture.load()
    return picture if method is None else picture.transpose(method)


def _orientation(picture: Image.Image) -> int:
    """Return the orientation that EXIF, else XMP, tells; 1 where none can be read.

    Pillow's own reading raises, or warns, if any other part of EXIF is damaged. It turns TIFF
    pictures by itself.
    """
    if picture.format == "TIFF":
        return 1
    exif = picture.info.get("exif") or _raw_profile(picture.info.get("Raw profile type exif"))
    found = _exif_orientation(exif) if isinstance(exif, bytes) else None
    return found or _xmp_orientation(picture.info.get("xmp")) or 1


def _exif_orientation(exif: bytes) -> int | None:
    """Look the tag up in the first directory of a TIFF header (TIFF 6.0, section 2)."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
            if tag == _ORIENTATION:
                return int(value)
    except struct.error:  # cut short
        pass
    return None


def _raw_profile(text: object) -> bytes | None:
    """Return EXIF from the hexadecimal text in which ImageMagick puts it into PNG."""
    if not isinstance(text, str):
        return None
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return None


def _xmp_orientation(xmp: object) -> int | None:
    packet = xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp
    if not isinstance(packet, bytes):
        return None
    for before in (b'tiff:Orientation="', b"<tiff:Orientation>"):
        digit = packet.partition(before)[2][:1]
        if digit.isdigit():
            return int(digit)
    return None


def _as_shown(image: Image.Image, levels: Scale | None) -> Image.Image:
    """Return 8 bits a channel: transparency over white, grey levels of more bits scaled."""
    pil: Any = import_extra("PIL.Image", "images")
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        grey: Image.Image = pil.fromarray(levels(values) if levels else _stretched(values))
        return grey
    if not image.has_transparency_data:
        return image
    if image.mode in _STRAIGHT:
        image = image.convert(_STRAIGHT[image.mode])
    flat: Image.Image = pil.new("RGBA", image.size, "white")
    flat.alpha_composite(image.convert("RGBA"))
    return flat


@dataclass(frozen=True)
class _Levels:
    """Grey levels of unsigned integers of so many bits, as a format has them."""

    bits: int = 16
    white_is_zero: bool = False
    clear: int | None = None

    def __call__(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        known = values.clip(0, (1 << self.bits) - 1)
        grey: npt.NDArray[np.uint8] = (known >> self.bits - 8).astype(np.uint8)
        if self.white_is_zero:
            grey = 255 - grey
        return grey if self.clear is None else np.where(values == self.clear, np.uint8(255), grey)


def _levels_of(picture: Any) -> Scale | None:
    """Return how a format's grey levels of more than 8 bits are meant; None where none tells.

    Pillow holds 16 bits of PNG and PGM, which it scales to the full range, in 32 at times.
    """
    if picture.format in ("PNG", "PPM") and picture.mode != "F":
        clear = picture.info.get("transparency")
        return _Levels(clear=clear if isinstance(clear, int) else None)
    if picture.format != "TIFF":
        return _Levels() if picture.mode.startswith("I;16") and picture.format != "FITS" else None
    tags = (258, 284, 262, 339)
    bits, planes, light, form = (_first(picture.tag_v2.get(tag)) for tag in tags)
    if bits == 16 and planes == 2:
        raise ImageError("not a readable image: pillow misreads planes of 16 bits in TIFF")
    if bits == 8 and form == _SIGNED:
        raise ImageError("not a readable image: pillow misreads signed bytes in TIFF")
    if picture.mode.startswith("I;16"):
        return _Levels(bits or 16, light == 0)
    unsigned = picture.mode == "I" and bits == 32 and form in (None, _UNSIGNED)
    return partial(_stretched, unsigned=unsigned, white_is_low=light == 0)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and value else value


def _stretched(
    levels: npt.NDArray[Any], unsigned: bool = False, white_is_low: bool = False
) -> npt.NDArray[np.uint8]:
    """Scale grey levels so that the smallest is 0 and the largest 255; what is not finite is 0.

    `unsigned` ones pillow holds as signed.
    """
    values = (levels.view(np.uint32) if unsigned else levels).astype(np.float64)
    if white_is_low:
        values = -values
    finite = np.isfinite(values)
    if not finite.any():
        raise ImageError(f"not a readable image: no finite pixel among {levels.dtype} ones")
    low, high = values[finite].min(), values[finite].max()
    # Halved first: the range of the largest floats is infinite.
    scaled = (values / 2 - low / 2) / ((high / 2 - low / 2) or 1.0) * 255
    return np.where(finite, np.rint(scaled), 0).astype(np.uint8)
