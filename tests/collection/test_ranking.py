"""A collection, and its page, are searched by the rule that an encoder was saved with."""

from __future__ import annotations

import json
import os

import numpy as np
import oracle
import pytest

pytest.importorskip("skimage")
pytest.importorskip("sklearn")

from photos import write_photo
from web_site import served

from hashret import EncoderMismatchError, FormatError, HashretError
from hashret.collection import Collection
from hashret.collection.encoders import lost_files
from hashret.collection.queries import of_files, of_ids
from hashret.collection.searching import search
from hashret.encoders import ITQ
from hashret.ranking import ClassAware, FloatQuery, Hamming, SameClass, WeightedPrefix

COUNT, BITS, PREFIX = 40, 32, 8
HOG = 324


def rule_of(name):
    centres = oracle.random_codes(np.random.default_rng(0), 4, PREFIX)
    aware = ClassAware(BITS, PREFIX, 4, centres=centres)
    if name != "cells":
        return {"aware": aware, "floats": FloatQuery(aware)}[name]
    centres = oracle.random_codes(np.random.default_rng(1), 40, PREFIX)
    posteriors = np.random.default_rng(1).dirichlet(np.full(6, 0.2), len(centres))
    return SameClass(BITS, PREFIX, 8, centres=centres, posteriors=posteriors)


@pytest.fixture(scope="module", params=["aware", "floats", "cells"])
def ranked(request, tmp_path_factory):
    """The folder of a collection, and the rule of its encoder `mine`."""
    root, aside = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("encoder")
    for number in range(COUNT):
        write_photo(root / f"{number:02}.png", number)
    vectors = np.random.default_rng(0).random((300, HOG)).astype(np.float32)
    encoder = ITQ(BITS, random_state=0).fit(vectors)
    encoder.ranking = rule_of(request.param)
    encoder.save(aside / "mine.safetensors")
    with Collection.create([root]) as collection:
        collection.update([os.fspath(aside / "mine.safetensors")], workers=1)
    return root, encoder


def wanted(collection, rule, query, k):
    index = collection.index("mine")
    away = rule.distances(query, index.get(index.ids))
    distances, ids = oracle.ranked_search(away, index.ids, k)
    return list(zip(distances[0].tolist(), ids[0].tolist(), strict=True))


def told(answer):
    return [(one.distance, one.image.id) for one in answer.results]


def test_a_collection_is_searched_by_the_rule(ranked):
    root, encoder = ranked
    rule = encoder.ranking
    with Collection.open(root) as collection:
        assert collection.ranking("mine") == rule
        (query,) = of_files(collection, "mine", [root / "05.png"])
        asked = query.code[None] if rule.takes == "codes" else query.margins[None]
        (answer,) = search(collection, "mine", [query], k=9)
        assert told(answer) == wanted(collection, rule, asked, 9)
        assert answer.farthest == rule.farthest(asked)[0]
        near = wanted(collection, rule, asked, COUNT)
        radius = int(near[20][0])
        (answer,) = search(collection, "mine", [query], k=None, radius=radius)
        assert told(answer) == [one for one in near if one[0] <= radius]
        (answer,) = search(collection, "mine", [query], k=5, where="name in (01.png, 02.png)")
        assert {id for _, id in told(answer)} == {2, 3}
        # Where it is ordered by margins, too, it is the same rule, by floats.
        (query,) = of_files(collection, "mine", [root / "05.png"], margins=True)
        finer = rule if rule.takes == "margins" else FloatQuery(rule)
        (answer,) = search(collection, "mine", [query], k=9, rerank=True)
        assert told(answer) == wanted(collection, finer, query.margins[None], 9)


def test_an_image_of_the_collection_is_sure_of_all_its_bits(ranked):
    root, encoder = ranked
    with Collection.open(root) as collection:
        (query,) = of_ids(collection, "mine", [7])
        (answer,) = search(collection, "mine", [query], k=9)
        plain = getattr(encoder.ranking, "rule", encoder.ranking)
        assert told(answer) == wanted(collection, plain, query.code[None], 9)


def test_the_page_is_searched_by_the_rule(ranked):
    root, encoder = ranked
    rule = encoder.ranking
    data = (root / "03.png").read_bytes()
    with served(root) as client, Collection.open(root) as collection:
        (query,) = of_files(collection, "mine", [root / "03.png"])
        asked = query.code[None] if rule.takes == "codes" else query.margins[None]
        found = client.post(
            "/api/search/upload",
            params={"encoder": "mine", "k": 7},
            content=data,
            headers={"content-type": "image/png"},
        ).json()
        assert [(one["distance"], one["id"]) for one in found["results"]] == wanted(
            collection, rule, asked, 7
        )
        assert found["farthest"] == rule.farthest(asked)[0]
        said = {one["same"]: one["why"] for one in found["results"]}
        assert said[True] == "the picture itself"
        assert said[False].endswith("where all bits differ")
        by_id = client.get("/api/search/4", params={"encoder": "mine", "k": COUNT}).json()
        assert [one["id"] for one in by_id["results"] if one["same"]] == [4]


def test_codes_under_another_rule_are_refused(ranked, tmp_path):
    root, encoder = ranked
    kept = encoder.ranking
    try:
        for other in (WeightedPrefix(BITS, PREFIX, 2), None):
            encoder.ranking = other
            encoder.save(tmp_path / "mine.safetensors")
            with Collection.change(root) as collection, pytest.raises(EncoderMismatchError):
                collection.update([os.fspath(tmp_path / "mine.safetensors")], workers=1)
    finally:
        encoder.ranking = kept


def test_a_rule_takes_part_in_the_fingerprint_of_the_index(ranked):
    root, _ = ranked
    with (
        Collection.open(root) as collection,
        pytest.raises(EncoderMismatchError, match="under another ranking rule"),
    ):
        collection.index("mine").ranked(Hamming(BITS))


def test_a_long_rule_lies_in_a_file_of_the_store(ranked):
    root, encoder = ranked
    with Collection.open(root) as collection:
        saved = collection.row("mine").settings["ranking"]
        if len(json.dumps(encoder.ranking.as_dict())) < 4096:
            assert saved == encoder.ranking.as_dict()
            return
        path = os.path.join(collection.store, "encoders", saved)
        assert lost_files(collection.store, collection.row("mine")) == []
        os.rename(path, path + ".away")
        try:
            assert lost_files(collection.store, collection.row("mine")) == [path]
            with pytest.raises(HashretError, match="a file of an encoder is missing"):
                collection.ranking("mine")
            for harm in (b"{", b"[" * 10**5, b'{"rule": "same-class"}', b"\xff"):
                with open(path, "wb") as file:
                    file.write(harm)
                with pytest.raises(FormatError):
                    collection.ranking("mine")
        finally:
            os.replace(path + ".away", path)
        assert collection.ranking("mine") == encoder.ranking
