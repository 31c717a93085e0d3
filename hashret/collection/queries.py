"""What a search is for: image files, images of the collection, or texts, each with its code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import HashretError
from ..types import Codes, Floats, Images
from .collection import Collection
from .images import images_of

if TYPE_CHECKING:
    from ..images.reading import Limits, Read

__all__ = ["Query", "of_files", "of_ids", "of_pixels", "of_texts"]


@dataclass(frozen=True)
class Query:
    """A query, or why it is none.

    Attributes
    ----------
    name : str or bytes or int
        A text, the path of a file, or the id of an image.
    code : ndarray of uint8, shape (bytes,), or None
    margins : ndarray of float, shape (bits,), or None
        The values whose signs are the code's bits, where they were asked for.
    content : bytes or None
        SHA-256 of an image file.
    pixels : ndarray of uint8, shape (h, w, 3), or None
        Of an image file.
    reason : str or None
        Why there is no code.
    """

    name: str | bytes | int
    code: Codes | None = None
    margins: Floats | None = None
    content: bytes | None = None
    pixels: Images | None = None
    reason: str | None = None


def of_files(
    collection: Collection,
    encoder: str,
    paths: Sequence[str | bytes],
    *,
    margins: bool = False,
    limits: Limits | None = None,
) -> list[Query]:
    """Read image files, wherever they are, in a process of their own, and encode them.

    Parameters
    ----------
    collection : Collection
    encoder : str
        By its name in the collection.
    paths : sequence of paths
    margins : bool
        Keep the values whose signs are the bits, too.
    limits : Limits, optional
        Of what one file may cost.

    Returns
    -------
    queries : list of Query
        In the order of `paths`; of a file that cannot be read, with the reason.

    Raises
    ------
    HashretError
        If `margins` are asked of an encoder that has none.
    """
    # Not at the top: queries by id read no files.
    from ..images.reading import Read, read_files

    made = collection.encoder(encoder)
    # Before any work.
    if margins:
        _project_of(made)
    names = [os.fsencode(path) for path in paths]
    requests = ((row, os.path.abspath(name)) for row, name in enumerate(names))
    found = list(read_files(requests, side=made.side, limits=limits, workers=1))
    queries: list[Query] = [Query(name) for name in names]
    for one in found:
        name = names[one.token]
        if isinstance(one, Read):
            queries[one.token] = of_pixels(collection, encoder, one, name=name, margins=margins)
        else:
            queries[one.token] = Query(name, reason=one.reason)
    return queries


def of_pixels(
    collection: Collection,
    encoder: str,
    read: Read,
    *,
    name: str | bytes = b"",
    margins: bool = False,
) -> Query:
    """Encode a picture that was read; with its margins if `margins`.

    Also if the encoder has some and its ranking takes them.
    """
    made, rule = collection.encoder(encoder), collection.ranking(encoder)
    (code,), _ = made.encode([read.pixels])
    taken = rule is not None and rule.takes == "margins" and hasattr(made, "project")
    wanted = margins or taken
    values = _project_of(made)([read.pixels])[0] if wanted else None
    return Query(name, code, values, read.content, read.pixels)


def of_ids(
    collection: Collection, encoder: str, ids: Sequence[int], *, margins: bool = False
) -> list[Query]:
    """Take the codes that the collection has of images; with `margins`, read their files.

    Returns
    -------
    queries : list of Query
        In the order of `ids`; of an unknown one, with the reason.
    """
    row = collection.encoders[encoder].id
    known = {image.id: image for image in images_of(collection.catalogue, ids)}
    queries = []
    for id in ids:
        query = "SELECT code FROM codes WHERE encoder = ? AND image = ?"
        code = collection.catalogue.execute(query, (row, id)).fetchone() if id in known else None
        if id not in known:
            queries.append(Query(id, reason="no image of the collection has this id"))
        elif code is None:
            queries.append(Query(id, reason=f"has no code of encoder {encoder!r}"))
        elif margins:
            (read,) = of_files(collection, encoder, [known[id].files[0].path], margins=True)
            queries.append(
                Query(id, read.code, read.margins, known[id].content, reason=read.reason)
            )
        else:
            packed = np.frombuffer(code[0], np.uint8)
            queries.append(Query(id, packed, content=known[id].content))
    return queries


def of_texts(collection: Collection, encoder: str, texts: Sequence[str]) -> list[Query]:
    """Encode texts, by an encoder that was trained on pairs of images and texts.

    Raises
    ------
    ParameterError
        If the encoder is none of these.
    """
    made = collection.text_encoder(encoder)
    return [Query(text, made.encode_text(text)) for text in texts]


def _project_of(encoder: Any) -> Any:
    project = getattr(encoder, "project", None)
    if project is None:
        raise HashretError(
            f"encoder {encoder.name!r} has nothing finer than its codes to order results by"
        )
    return project
