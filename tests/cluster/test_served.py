"""A collection whose codes are shards: its searches, and its page, are those of one index."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("web_site")

from web_site import fill, served, write

from hashret.cluster.collection import CollectionShards
from hashret.collection import Collection
from hashret.collection.indexes import codes_of


@pytest.fixture
def photos(tmp_path):
    return fill(tmp_path / "photos")


def answers(app):
    """What a search says of every image."""
    with app:
        ids = [one["id"] for one in app.get("/api/images").json()["images"]]
        assert len(ids) > 5
        found = [
            app.get(f"/api/search/{id}", params={"k": 20, "where": "width = 160"}) for id in ids
        ]
        assert {one.status_code for one in found} == {200}
        return [one.json()["results"] for one in found]


def test_shards_follow_the_collection(photos, tmp_path):
    shards = CollectionShards(tmp_path / "shards", shard_codes=4, cache=tmp_path / "cache")
    for change in range(4):
        with Collection.open(photos) as one, Collection.open(photos) as many:
            many.search_by(shards)
            index, expected = many.index("perceptual"), one.index("perceptual")
            assert len(index.shards) > 1
            np.testing.assert_array_equal(index.ids, expected.ids)
            queries = expected.get(expected.ids)
            for found, wanted in zip(
                index.search(queries, 20), expected.search(queries, 20), strict=True
            ):
                np.testing.assert_array_equal(found, wanted)
        write(photos / "new" / f"{change}.png", 100 + change)
        (photos / "2024" / f"{change}.png").unlink()
        with Collection.change(photos) as collection:
            collection.update(workers=1, forget=change % 2 == 1)
    shards.close()


def test_another_collection_in_the_same_place_has_its_own_codes(tmp_path):
    options = {"cache": tmp_path / "cache"}
    both = CollectionShards(tmp_path / "shards", **options)
    for name, seed in (("one", 0), ("other", 10)):
        for number in range(3):
            write(tmp_path / name / f"{number}.png", seed + number)
        with Collection.create([tmp_path / name]) as collection:
            collection.update(["perceptual"], workers=1)
    # Opened by one process or by several, in turns: ids alone are the same in both.
    for shards in (both, both, CollectionShards(tmp_path / "shards", **options)):
        for name in ("one", "other"):
            with (
                Collection.open(tmp_path / name) as plain,
                Collection.open(tmp_path / name) as many,
            ):
                many.search_by(shards)
                index, expected = many.index("perceptual"), plain.index("perceptual")
                np.testing.assert_array_equal(index.ids, expected.ids)
                np.testing.assert_array_equal(index.get(index.ids), expected.get(index.ids))
    generation = index.generation
    shards.close()
    both.close()
    # What is as it should be is not written again.
    again = CollectionShards(tmp_path / "shards", **options)
    with Collection.open(tmp_path / "other") as many:
        many.search_by(again)
        assert many.index("perceptual").generation == generation
    again.close()


def test_shards_have_the_codes_of_a_catalogue_made_anew(photos, tmp_path):
    names = sorted((photos / "2024").glob("*.png"))
    for seed in (0, 500):
        shards = CollectionShards(tmp_path / "shards", shard_codes=4, cache=tmp_path / "cache")
        for number, path in enumerate(names, seed):
            write(path, number)
        with Collection.create([photos]) as collection:
            collection.update(["perceptual"], workers=1)
            ids, codes = codes_of(collection.catalogue, collection.row("perceptual"))
            collection.search_by(shards)
            np.testing.assert_array_equal(collection.index("perceptual").get(ids), codes)
        shards.close()
        (photos / ".hashret" / "catalogue.sqlite").unlink()


# The page of a cluster is looked at in tests/cli/test_cluster.py, too.
@pytest.mark.parametrize("replicas", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_the_page_answers_from_shards(photos, tmp_path, replicas, request):
    if replicas:
        request.getfixturevalue("cluster")
    from fastapi.testclient import TestClient

    from hashret.web import create_app

    options = {"shard_codes": 6, "cache": tmp_path / "cache", "replicas": replicas}
    shards = CollectionShards(tmp_path / "shards", **options)
    app = TestClient(create_app(photos, load=shards), base_url="http://localhost")
    assert answers(app) == answers(served(photos))
    assert len({each["shard"] for each in shards.status()}) > 1
    shards.close()
