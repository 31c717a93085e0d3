"""What imagededup writes as JSON: hashes by file name, or lists of duplicates."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ...codes import from_hex, hamming_distances
from ...errors import FormatError
from ..catalogue import Catalogue, EncoderRow
from ..places import Placed, place, printed
from .codes import write_codes

__all__ = ["Pair", "compare_duplicates", "import_hashes", "read_imagededup"]

_HASH = re.compile("[0-9a-fA-F]+")


class Pair(NamedTuple):
    """Two files that imagededup called duplicates, and the distance of their codes here.

    The distance is None if one is no image of the collection, and 0 if both are the same.
    """

    first: str
    second: str
    distance: int | None


class Found(NamedTuple):
    """Hashes by file name, of `encode_images`; or duplicates, of `find_duplicates`."""

    hashes: dict[str, str] | None
    duplicates: dict[str, list[str]]


def read_imagededup(path: str | os.PathLike[str]) -> Found:
    """Read a JSON file of imagededup's; scores of duplicates are left out.

    Raises
    ------
    FormatError
        If it is none.
    """
    where = os.fspath(path)
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where}: no JSON of imagededup's: {error}") from None
    if not isinstance(found, dict) or not found:
        raise FormatError(f"{where}: expected an object with a member for each file")
    if all(isinstance(value, str) for value in found.values()):
        return Found(_checked(found, where), {})
    if all(isinstance(value, list) for value in found.values()):
        listed = {name: [_name(one, where) for one in value] for name, value in found.items()}
        return Found(None, listed)
    raise FormatError(f"{where}: expected a hash, or a list of duplicates, for each file")


def import_hashes(
    catalogue: Catalogue,
    name: str,
    hashes: dict[str, str],
    base: str | os.PathLike[str] | None = None,
) -> Placed[str]:
    """Take hashes as the codes of images, under the name of an encoder of their own.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    name : str
        As the codes of two collections can be compared if they have one name, that of the method
        is a good one: ``imagededup-phash``.
    hashes : dict of str
        In hexadecimal, by path.
    base : path, optional
        What paths are relative to, if not to a root.

    Returns
    -------
    placed : Placed
        The hash of each image, and the paths of which there is no image.
    """
    placed = place(catalogue, hashes.items(), base)
    bits = 4 * len(next(iter(hashes.values())))
    if placed.values:
        packed = from_hex(list(placed.values.values()), bits)
        codes = {image: code.tobytes() for image, code in zip(placed.values, packed, strict=True)}
        own = hashlib.sha256(name.encode()).hexdigest()[:40]
        write_codes(catalogue, name, f"imported-{bits}-{own}", bits, {"from": "imagededup"}, codes)
    return placed


def compare_duplicates(
    catalogue: Catalogue,
    encoder: EncoderRow,
    duplicates: dict[str, list[str]],
    base: str | os.PathLike[str] | None = None,
) -> Iterator[Pair]:
    """Yield each pair of imagededup's with the distance of the two images' codes here."""
    seen: set[tuple[str, str]] = set()
    places: dict[str, int | None] = {}

    def image(path: str) -> int | None:
        if path not in places:
            places[path] = next(iter(place(catalogue, [(path, None)], base).values), None)
        return places[path]

    for first, others in duplicates.items():
        for second in others:
            pair = (min(first, second), max(first, second))
            if pair in seen or first == second:
                continue
            seen.add(pair)
            distance = _distance(catalogue, encoder, image(pair[0]), image(pair[1]))
            yield Pair(printed(pair[0]), printed(pair[1]), distance)


def _distance(
    catalogue: Catalogue, encoder: EncoderRow, first: int | None, second: int | None
) -> int | None:
    query = "SELECT code FROM codes WHERE encoder = ? AND image = ?"
    found = [catalogue.execute(query, (encoder.id, one)).fetchone() for one in (first, second)]
    if None in found:
        return None
    one, other = (np.frombuffer(row[0], np.uint8)[None] for row in found)
    return int(hamming_distances(one, other, encoder.bits)[0, 0])


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a file name comes twice")
    return found


def _checked(hashes: dict[str, str], where: str) -> dict[str, str]:
    length = len(next(iter(hashes.values())))
    for name, value in hashes.items():
        if not _HASH.fullmatch(value) or len(value) != length or length % 2 or length > 1024:
            raise FormatError(
                f"{where}: {printed(name)}: expected a hash of {length} hexadecimal digits as the "
                f"first has, got {value[:80]!r}"
            )
    return hashes


def _name(value: Any, where: str) -> str:
    """Return the name of a duplicate, which may be in a pair with its score."""
    name = value[0] if isinstance(value, list) and len(value) == 2 else value
    if not isinstance(name, str):
        raise FormatError(f"{where}: expected the names of duplicates, got {str(value)[:80]}")
    return name
