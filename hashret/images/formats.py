"""Which files are pictures, which of them pillow reads, and what would help with the others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ..errors import ImageError, MissingExtraError
from ..extras import import_extra

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

# What pillow registers beside pictures: data it never decodes, and moving pictures.
_NO_PICTURES = frozenset({"BUFR", "GRIB", "HDF5", "MPEG"})
# Pillow has Ghostscript run the program in the file: not on files of unknown origin.
_NEVER = frozenset({"EPS"})

_HEIF = "HEIF, which the extra 'heif' reads, pi-heif: pip install 'hashret[heif]'"
_RAW = "a camera's raw file, whose preview the extra 'raw' reads, rawpy: pip install 'hashret[raw]'"
_JPEG_XL = "JPEG XL; install pillow-jxl-plugin and import pillow_jxl first"
_JPEG_XR = "JPEG XR; convert it first, for example with imagecodecs"
_JPEG_LS = "JPEG-LS; install pillow-jpls and import pillow_jpls first"
_DICOM = "DICOM; convert it first, for example with pydicom"
_DRAWING = "a vector drawing; render it first, for example with cairosvg"
_EPS = "PostScript, a program, which is not run; render it first, for example with Ghostscript"
_LAYERS = "a painting program's own file; export it first"
_RANGE = "a picture of high dynamic range; map it to 8 bits first, for example with imageio"
_DJVU = "DjVu; convert it first, for example with ddjvu"
_SUFFIXES: dict[str, str] = {
    suffix: hint
    for hint, suffixes in {
        _HEIF: "heic heif heics heifs hif avci avcs",
        _RAW: "3fr arw cr2 cr3 crw dcr dng erf fff iiq k25 kdc mef mos mrw nef nrw orf pef raf "
        "rw2 rwl sr2 srf srw x3f",
        _JPEG_XL: "jxl",
        _JPEG_XR: "hdp jxr wdp",
        _JPEG_LS: "jls",
        _DICOM: "dcm",
        _DRAWING: "svg svgz",
        _EPS: "eps ps ai",
        _LAYERS: "psb xcf kra ora",
        _RANGE: "exr",
        _DJVU: "djv djvu",
    }.items()
    for suffix in (f".{word}" for word in suffixes.split())
}
# How many of a file's first bytes tell.
SIGNATURE_BYTES = 1024
# First bytes that are no accident: (offset, bytes, what helps if pillow does not read it).
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", ""),
    (0, b"\xff\xd8\xff", ""),
    (0, b"GIF87a", ""),
    (0, b"GIF89a", ""),
    (0, b"II*\0\x10\0\0\0CR", _RAW),
    (0, b"II*\0", ""),
    (0, b"MM\0*", ""),
    (0, b"II+\0", ""),
    (0, b"MM\0+", ""),
    (8, b"WEBP", ""),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", ""),
    (0, b"\xff\x4f\xff\x51", ""),
    (0, b"8BPS\0\1", ""),
    (0, b"icns", ""),
    (0, b"8BPS\0\2", _LAYERS),
    (4, b"ftypavif", ""),
    (4, b"ftypavis", ""),
    *((4, b"ftyp" + brand, _HEIF) for brand in (b"hei", b"hev", b"mif1", b"msf1")),
    (4, b"ftypcrx ", _RAW),
    (0, b"FUJIFILMCCD-RAW", _RAW),
    (0, b"IIRO", _RAW),
    (0, b"IIRS", _RAW),
    (0, b"MMOR", _RAW),
    (0, b"IIU\0", _RAW),
    (0, b"FOVb", _RAW),
    (0, b"\xff\x0a", _JPEG_XL),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", _JPEG_XL),
    (0, b"II\xbc", _JPEG_XR),
    (128, b"DICM", _DICOM),
    (0, b"<svg", _DRAWING),
    (0, b"%!PS-Adobe", _EPS),
    (0, b"\xc5\xd0\xd3\xc6", _EPS),
    (0, b"gimp xcf", _LAYERS),
    (0, b"\x76\x2f\x31\x01", _RANGE),
    (0, b"#?RADIANCE", _RANGE),
    (0, b"AT&TFORM", _DJVU),
)


# First bytes that may be an accident: whether it is a picture, reading on tells.
_SHORT_SIGNATURES = (
    b"BM",
    b"P4",
    b"P5",
    b"P6",
    b"qoif",
    b"DDS ",
    b"\0\0\1\0",
    b"farbfeld",
    b"FLIF",
)


def picture_suffixes() -> frozenset[str]:
    """Return the suffixes, lower case with the dot, that say that a file is a picture."""
    pil: Any = import_extra("PIL.Image", "images")
    registered = pil.registered_extensions().items()
    known = {suffix for suffix, name in registered if name in pil.OPEN.keys() - _NO_PICTURES}
    # Pillow's writer of SPIDER adds the suffix of the file it wrote, which may have none.
    return frozenset(known | _SUFFIXES.keys()) - {""}


def signature(head: bytes) -> str | None:
    """Return what would help to read a picture that has these first bytes (1024 suffice).

    An empty text if pillow reads such pictures; None if the bytes are of none for certain.
    """
    for at, sign, hint in _SIGNATURES:
        if head.startswith(sign, at):
            return hint
    return _DRAWING if head.startswith(b"<?xml") and b"<svg" in head[:1024] else None


def begins_like_picture(head: bytes) -> bool:
    """Return whether a file's first bytes, `SIGNATURE_BYTES` of them, are those of a picture.

    Some are so few that they may be an accident, and some formats have none.
    """
    return signature(head) is not None or head.startswith(_SHORT_SIGNATURES)


def open_picture(
    data: bytes, *, suffix: str = "", guess: bool = True, raw: bool = False
) -> ImageFile:
    """Identify a picture as pillow does, by its first bytes, and read its header.

    Pillow's own function also compares the size with a limit that belongs to the whole process,
    and warns; here neither happens.

    Parameters
    ----------
    data : bytes
    suffix : str
        That of the file, such as ``".heic"``, for the reason if nothing reads it.
    guess : bool
        Whether formats without first bytes of their own, such as TGA, come into question.

    raw : bool
        Whether it is a camera's raw file in the form of a TIFF, of which pillow's own reader would
        take the preview for the picture.

    Raises
    ------
    ImageError
        If no format that is registered with pillow reads it; says what would.
    """
    pil: Any = import_extra("PIL.Image", "images")
    reasons: list[str] = []
    tried = set(_NEVER | {"TIFF"} if raw else _NEVER)
    for load in (pil.preinit, pil.init):
        load()
        for name in [name for name in pil.ID if name not in tried]:
            tried.add(name)
            image = _opened(pil.OPEN, name, data, guess, reasons)
            if image is not None:
                return image
    hint = _RAW if raw else signature(data)
    if hint is None:
        hint = _SUFFIXES.get(suffix.lower())
    if hint in _BY_EXTRA and (image := _BY_EXTRA[hint](data)) is not None:
        return image
    if hint:
        raise ImageError(f"pillow does not read it: {hint}")
    raise ImageError(f"not a readable image: {reasons[0] if reasons else 'of no known format'}")


def _heif(data: bytes) -> ImageFile | None:
    """Open a HEIF picture, if a package is there, without entering it into pillow's formats."""
    for package in ("pi_heif", "pillow_heif"):
        with contextlib.suppress(MissingExtraError):
            plugin: Any = import_extra(package, "heif")
            image: ImageFile = plugin.HeifImageFile(BytesIO(data), "")
            return image
    return None


def _raw_preview(data: bytes) -> ImageFile | None:
    """Open the preview in a camera's raw file, if the package is there."""
    try:
        rawpy: Any = import_extra("rawpy", "raw")
    except MissingExtraError:
        return None
    try:
        with rawpy.imread(BytesIO(data)) as raw:
            preview = raw.extract_thumb()
    except rawpy.LibRawError as error:
        # Its messages are bytes.
        words = b"".join(part for part in error.args if isinstance(part, bytes)).decode()
        raise ImageError(f"a camera's raw file that rawpy does not read: {words}") from error
    if preview.format != rawpy.ThumbFormat.JPEG:
        raise ImageError("a camera's raw file without a preview in JPEG; develop it first")
    image = open_picture(preview.data)
    image.format = "RAW"
    return image


_BY_EXTRA: dict[str | None, Callable[[bytes], ImageFile | None]] = {
    _HEIF: _heif,
    _RAW: _raw_preview,
}


def _opened(
    registry: Any, name: str, data: bytes, guess: bool, reasons: list[str]
) -> ImageFile | None:
    """Open a picture as one format, or return None and note why, if it looked like it."""
    factory, accept = registry[name]
    if accept is None and not guess:
        return None
    try:
        answer = accept is None or accept(data[:16])
        if answer is True:
            image: ImageFile = factory(BytesIO(data), "")
            return image
        if isinstance(answer, str):
            reasons.append(answer)
    except MemoryError:
        raise
    except Exception as error:
        # Plugins raise anything from SyntaxError to struct.error on damaged files.
        if accept is not None:
            reasons.append(f"{name}: {error or type(error).__name__}")
    return None
