"""Which files of a folder belong to one photograph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

# Of several pictures of one stem, the first in this order has the companions.
_DEVELOPED = (
    *(b"jpg", b"jpeg", b"jpe", b"jfif", b"heic", b"heif", b"hif", b"avif", b"webp"),
    *(b"tif", b"tiff", b"png"),
)
_RAW = frozenset(
    b"3fr arw cr2 cr3 crw dcr dng erf fff iiq k25 kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl "
    b"sr2 srf srw x3f".split()
)
_SIDECARS = frozenset({b"xmp", b"aae"})
_FILM = b"mov"


def companions(names: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    """Find the files that belong to a photograph, by the names in one folder.

    A raw file belongs to the developed picture of the same stem (``a.CR2`` to ``a.JPG``), a sidecar
    to the picture of its stem or whose whole name it continues (``a.xmp``, ``a.CR2.xmp``), the film
    of a Live Photo to its picture (``a.MOV`` to ``a.HEIC``). Stems are compared byte by byte,
    suffixes without case.

    Parameters
    ----------
    names : iterable of bytes
        Without their folder.

    Returns
    -------
    companions : dict
        From each photograph that has some to its companions, sorted. No name occurs twice.

    Examples
    --------
    >>> companions([b"a.JPG", b"a.CR2", b"a.CR2.xmp", b"a.MOV", b"b.jpg", b"c.mov"])
    {b'a.JPG': [b'a.CR2', b'a.CR2.xmp', b'a.MOV']}
    """
    known = sorted(set(names))
    leaders = _leaders(known)
    found: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for name in known:
        leader = _leader(name, leaders)
        if leader is not None and leader != name:
            found[leader].append(name)
    return dict(found)


def raw_leaders(names: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the raw files that belong to another picture of their folder, each with that.

    Examples
    --------
    >>> raw_leaders([b"a.JPG", b"a.CR2", b"b.CR2", b"a.xmp"])
    {b'a.CR2': b'a.JPG'}
    """
    known = [name for name in names if _rank(name) is not None]
    raws = [name for name in known if _split(name)[1] in _RAW]
    if not raws:
        return {}
    leaders = _leaders(known)
    return {name: leaders[name] for name in raws if leaders[name] != name}


def _leaders(known: list[bytes]) -> dict[bytes, bytes]:
    """Return by stem the photograph that has the companions, and each picture by its own name."""
    of_stem: dict[bytes, bytes] = {}
    pictures = [name for name in known if _rank(name) is not None]
    for name in sorted(pictures, key=lambda name: (_rank(name), name)):
        of_stem.setdefault(_split(name)[0], name)
    whole = {
        name: of_stem[_split(name)[0]] if _split(name)[1] in _RAW else name for name in pictures
    }
    # "a.jpg" names a picture, rather than the stem of "a.jpg.png".
    return of_stem | whole


def _leader(name: bytes, leaders: dict[bytes, bytes]) -> bytes | None:
    stem, suffix = _split(name)
    if suffix in _RAW:
        return leaders[name]
    return leaders.get(stem) if suffix in _SIDECARS or suffix == _FILM else None


def _rank(name: bytes) -> int | None:
    """Return how much a file leads the others of its stem, least first; None for no picture."""
    suffix = _split(name)[1]
    if suffix in _DEVELOPED:
        return _DEVELOPED.index(suffix)
    return len(_DEVELOPED) if suffix in _RAW else None


def _split(name: bytes) -> tuple[bytes, bytes]:
    stem, dot, suffix = name.rpartition(b".")
    return (stem, suffix.lower()) if dot and stem else (name, b"")
