"""The images among which duplicates are looked for, best first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...images.frames import FILMS, PAGED
from ...types import Codes, Ids
from ..catalogue import Catalogue, EncoderRow
from .rules import Rules, Span, spans_of

__all__ = ["Pool", "load_pool"]

# Formats that lost nothing, then those that are kept for quality.
_FORMATS = "CASE format WHEN 'RAW' THEN 0 WHEN 'TIFF' THEN 1 WHEN 'PNG' THEN 2 ELSE 3 END"

# What is a film by its nature: the code is of its first frame, and a photograph can equal that.
_MOVES = f"format IN {FILMS}"
_PAGED = f"format IN {PAGED}"


class Pool(NamedTuple):
    """Images of which a file is there, in the order in which they are kept.

    About 70 bytes an image, beside its codes.

    Attributes
    ----------
    ids : ndarray of int64, shape (n,)
    codes : ndarray of uint8, shape (n, bytes)
    coded : ndarray of bool, shape (n,)
        Whether there is a code, and it means something: others are near to nothing.
    inner : ndarray of uint8, shape (n, bytes)
        Codes of what is within the borders of images.
    bordered : ndarray of bool, shape (n,)
        Whether that code is another one, and means something.
    roots : ndarray of int64, shape (n,)
        The root of its file, or of the first of them.
    sizes : ndarray of int32, shape (n, 2)
        Width and height.
    kept : ndarray of bool, shape (n,)
        Whether none of its files may go.
    copies : ndarray of bool, shape (n,)
        Whether it has several files.
    paged : ndarray of bool, shape (n,)
        Whether its format can hold several pictures; its file tells.
    """

    ids: Ids
    codes: Codes
    coded: npt.NDArray[np.bool_]
    inner: Codes
    bordered: npt.NDArray[np.bool_]
    roots: Ids
    sizes: npt.NDArray[np.int32]
    kept: npt.NDArray[np.bool_]
    copies: npt.NDArray[np.bool_]
    paged: npt.NDArray[np.bool_]


def load_pool(
    catalogue: Catalogue,
    encoder: EncoderRow | None,
    rules: Rules,
    inner: EncoderRow | None = None,
    *,
    preferred: Mapping[int, int] | None = None,
    among: Ids | None = None,
) -> Pool:
    """Load the images that take part, and put them in order.

    Symbolic links are no files here: what they lead to is.

    Parameters
    ----------
    catalogue : Catalogue
    encoder : EncoderRow or None
        Whose codes to compare.
    rules : Rules
    inner : EncoderRow, optional
        Whose codes are those of what is within borders.
    preferred : mapping of int to int, optional
        Images that come before all that need not stay, those of the largest number first.
    among : ndarray of int64, optional
        Only these images.
    """
    width = 1 if encoder is None else -(-encoder.bits // 8)
    kind = np.dtype(
        [
            ("id", "i8"),
            ("width", "i4"),
            ("height", "i4"),
            ("format", "i1"),
            ("size", "i8"),
            ("time", "i8"),
            ("root", "i8"),
            ("files", "i4"),
            ("under", "i4"),
            ("kept", "i1"),
            ("paged", "i1"),
            ("quality", "f4"),
            ("code", f"V{width}"),
            ("inner_quality", "f4"),
            ("inner", f"V{width}"),
        ]
    )
    rows = np.fromiter(_rows(catalogue, [encoder, inner], rules, bytes(width), among), kind)
    liked = np.array([preferred.get(id, 0) for id in rows["id"].tolist()] if preferred else 0)
    rows = rows[np.lexsort(_keys(rows, rules, _bordered(rows, rules), liked))]
    codes, inside = (
        np.ascontiguousarray(rows[name]).view(np.uint8).reshape(len(rows), width)
        for name in ("code", "inner")
    )
    return Pool(
        rows["id"],
        codes,
        rows["quality"] >= rules.plain,
        inside,
        _bordered(rows, rules),
        rows["root"],
        np.stack([rows["width"], rows["height"]], axis=1),
        rows["kept"] == 1,
        rows["files"] > 1,
        rows["paged"] == 1,
    )


def _rows(
    catalogue: Catalogue,
    encoders: list[EncoderRow | None],
    rules: Rules,
    blank: bytes,
    among: Ids | None,
) -> Iterator[tuple[Any, ...]]:
    kept = spans_of(catalogue, rules.keep_roots, "keep-root")
    compared = spans_of(catalogue, rules.under, "under") + kept if rules.under else []
    under = [spans_of(catalogue, [folder], "keep: under") for folder in rules.kept_folders]
    inside_kept, values = _inside(kept)
    # The first folder counts most; one number has them all.
    parts = [(*_inside(spans), 1 << place) for place, spans in enumerate(reversed(under))]
    inside_under = " + ".join(f"max({text}) * {weight}" for text, _, weight in parts) or "0"
    values = [*(v for _, more, _ in parts for v in more), *values]
    inside_compared, more = _inside(compared) if compared else ("1", [])
    one = "1" if among is None else "images.id IN (SELECT value FROM json_each(?))"
    more += [] if among is None else [json.dumps(among.tolist())]
    # Without a quality of its own a code counts as full; without a code, or of a film, as none.
    query = f"""
        SELECT images.id, min(width, 2147483647), min(height, 2147483647), {_FORMATS},
            max(files.size),
            coalesce(1000000000 * CAST(strftime('%s', taken) AS INTEGER), min(mtime_ns)),
            min(files.root), count(*), {inside_under}, max({inside_kept}), {_PAGED},
            iif(codes.code IS NULL OR {_MOVES}, -1, coalesce(codes.quality, 1)),
            coalesce(codes.code, ?),
            iif(inside.code IS NULL OR {_MOVES}, -1, coalesce(inside.quality, 1)),
            coalesce(inside.code, ?)
        FROM images JOIN files USING (content)
        LEFT JOIN codes ON codes.image = images.id AND codes.encoder = ?
        LEFT JOIN codes AS inside ON inside.image = images.id AND inside.encoder = ?
        WHERE state = 'present' AND NOT link AND ({inside_compared}) AND {one} GROUP BY images.id"""
    rows = [-1 if encoder is None else encoder.id for encoder in encoders]
    yield from catalogue.execute(query, (*values, blank, blank, *rows, *more))


def _inside(spans: list[Span]) -> tuple[str, list[object]]:
    """Return SQL that tells whether a file is in one of the spans, and its values."""
    tests: list[str] = []
    values: list[object] = []
    for root, low, high in spans:
        if low is None:
            tests.append("files.root = ?")
            values += [root]
        else:
            tests.append("files.root = ? AND path >= ? AND path < ?")
            values += [root, low, high]
    return " OR ".join(f"({test})" for test in tests) or "0", values


def _bordered(rows: Any, rules: Rules) -> npt.NDArray[np.bool_]:
    """Return of which images what is within borders has another code, which means something."""
    found: npt.NDArray[np.bool_] = rows["inner_quality"] >= rules.plain
    found &= rows["code"] != rows["inner"]
    return found


def _keys(
    rows: Any, rules: Rules, bordered: npt.NDArray[np.bool_], liked: npt.NDArray[np.int64]
) -> list[Any]:
    """Return what the rows are sorted by, the last key first as lexsort has it."""
    pixels = rows["width"].astype(np.int64) * rows["height"]
    keys = [rows["kept"] != 1, np.broadcast_to(-liked, len(rows))]
    first = {"largest": -rows["size"], "oldest": rows["time"]}
    if rules.kept_folders:
        first["under"] = -rows["under"]
    asked = [rule.partition(":")[0] for rule in rules.keep]
    keys += [first[rule] for rule in dict.fromkeys(asked)]
    # A frame, or the rest of a screen, adds pixels that are none of the photograph's.
    keys += [bordered, -pixels, -rows["size"], rows["format"], rows["time"], rows["id"]]
    return keys[::-1]
