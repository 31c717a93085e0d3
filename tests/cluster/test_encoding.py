"""Folders encoded into shards: every good picture once, bad ones listed, whoever dies."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

import hashret
from hashret.cluster import ShardedIndex, open_location
from hashret.cluster.encoding import encode
from hashret.collection.encoders import new_encoder
from hashret.images.reading import Limits

pytest.importorskip("pyarrow", reason="needs the extra 'ray'")
pytest.importorskip("pathspec", reason="needs the extra 'collection'")
Image = pytest.importorskip("PIL.Image")


def picture(seed):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path):
    """Forty pictures in two folders, and files that are none or damaged."""
    for number in range(40):
        path = tmp_path / "photos" / f"{number % 2}" / f"{number * 7 % 40:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path)
    (tmp_path / "photos" / "0" / "05.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    (tmp_path / "photos" / "1" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    return tmp_path / "photos"


def opened(tmp_path):
    return ShardedIndex(tmp_path / "index", cache=tmp_path / "cache")


def encoded(tmp_path, *sources, **options):
    # Each shard starts a process that reads.
    given = {"shard_files": 50, "workers": 1, "cache": tmp_path / "cache", **options}
    return encode(tmp_path / "index", sources, **given)


def check(tmp_path, index):
    """Every good picture has the code that the encoder gives it alone, under its path."""
    encoder = new_encoder("perceptual", str(tmp_path))
    paths = index.paths(index.ids)
    good = sorted(p for p in (tmp_path / "photos").rglob("*") if p.suffix in (".png", ".jpg"))
    bad = {path for _, path, _ in index.failures()}
    assert sorted(paths) == [os.fsencode(p) for p in good if os.fsencode(p) not in bad]
    pixels = [np.asarray(Image.open(os.fsdecode(path)).convert("RGB")) for path in paths]
    np.testing.assert_array_equal(index.get(index.ids), encoder.encode(pixels)[0])


def test_folders_become_shards(folder, tmp_path):
    told = []
    report = encoded(tmp_path, folder, shard_files=12, on_unit=lambda *given: told.append(given))
    assert (report.files, report.codes, report.shards, report.kept) == (43, 40, 4, 0)
    assert told == [(n, 4) for n in range(5)]
    assert [os.path.basename(path) for _, path, _ in report.failures] == [b"05.jpg", b"broken.png"]
    assert all(reason for _, _, reason in report.failures)
    with opened(tmp_path) as index:
        check(tmp_path, index)
        # Ids follow the sorted paths.
        assert index.paths(index.ids) == sorted(index.paths(index.ids))
        assert index.encoder == "pdq-512"


def test_the_same_again_does_nothing_and_new_files_are_added(folder, tmp_path):
    encoded(tmp_path, folder)
    again = encoded(tmp_path, folder)
    # What is no picture is looked at again, as no table has it.
    assert (again.files, again.codes) == (1, 0)
    with opened(tmp_path) as index:
        before = index.ids
        assert index.generation == 1
    picture(99).save(folder / "0" / "00-new.png")
    report = encoded(tmp_path, folder)
    assert report.codes == 1
    with opened(tmp_path) as index:
        check(tmp_path, index)
        assert set(before) < set(index.ids)
        index.compact()
        assert len(index.shards) == 1
        check(tmp_path, index)


def test_a_shard_that_is_done_is_not_done_again(folder, tmp_path, monkeypatch):
    from hashret.cluster.encoding import running

    whole, calls = running.encode_unit, []

    def fail_at_third(*given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(*given)

    monkeypatch.setattr(running, "encode_unit", fail_at_third)
    with pytest.raises(KeyboardInterrupt):
        encoded(tmp_path, folder, shard_files=12)
    monkeypatch.setattr(running, "encode_unit", whole)
    with opened(tmp_path) as index:
        assert len(index) == 0
    report = encoded(tmp_path, folder, shard_files=12)
    assert (report.kept, report.shards, report.codes) == (2, 2, 40)
    with opened(tmp_path) as index:
        check(tmp_path, index)


def test_a_receipt_whose_files_are_lost_counts_for_nothing(folder, tmp_path, monkeypatch):
    from hashret.cluster.encoding import running

    monkeypatch.setattr(running, "_commit", lambda *given: None)
    encoded(tmp_path, folder, shard_files=12)
    monkeypatch.undo()
    receipts = sorted((tmp_path / "index" / "plans").rglob("*.json"))
    name = json.loads(receipts[0].read_text())["index"]["name"]
    (tmp_path / "index" / "files" / name).write_bytes(b"")
    receipts[1].write_text("{")
    assert encoded(tmp_path, folder, shard_files=12).kept == 2
    with opened(tmp_path) as index:
        check(tmp_path, index)


def test_failed_files_are_read_again_when_asked(folder, tmp_path):
    encoded(tmp_path, folder)
    picture(50).save(folder / "1" / "broken.png")
    again = encoded(tmp_path, folder)
    assert again.codes == 0
    assert len(again.failures) == 2
    for _ in range(2):
        retried = encoded(tmp_path, folder, retry_failed=True)
        assert [os.path.basename(path) for _, path, _ in retried.failures] == [b"05.jpg"]
    with opened(tmp_path) as index:
        check(tmp_path, index)
        assert index.paths(index.ids) == sorted(index.paths(index.ids))


def damage(tmp_path, number):
    """Damage the file of a shard in the index, and return its path and what it was."""
    with opened(tmp_path) as index:
        path = tmp_path / "index" / "files" / index.shards[number].index.name
    shutil.rmtree(tmp_path / "cache")
    before = path.read_bytes()
    path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with opened(tmp_path) as index, pytest.raises(hashret.UnavailableError, match="delete it"):
        index.get(index.ids)
    return path, before


def test_a_damaged_shard_is_encoded_again_when_its_file_is_deleted(folder, tmp_path):
    encoded(tmp_path, folder, shard_files=12)
    with opened(tmp_path) as index:
        index.remove(index.ids[:3])
        ids = index.ids
    path, before = damage(tmp_path, 0)
    path.unlink()
    report = encoded(tmp_path, folder, shard_files=12)
    assert (report.codes, report.unreachable) == (0, [])
    assert path.read_bytes() == before
    with opened(tmp_path) as index:
        np.testing.assert_array_equal(index.ids, ids)
        assert len(index.get(ids)) == 37
        assert index.generation == 2
    # Of other pictures there is no such file.
    path, _ = damage(tmp_path, 1)
    path.unlink()
    with opened(tmp_path) as index:
        [(_, [(_, picture_of), *_])] = index.lost()
    picture(77).save(os.fsdecode(picture_of), "png")
    [(told, reason)] = encoded(tmp_path, folder, shard_files=12).unreachable
    assert (os.fsdecode(told), "from a copy" in reason) == (str(path), True)


def test_a_shard_of_failures_alone_is_written_again(tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    encoded(tmp_path, tmp_path / "bad")
    [path] = (tmp_path / "index" / "files").glob("*.hri")
    before = path.read_bytes()
    path.unlink()
    assert encoded(tmp_path, tmp_path / "bad").unreachable == []
    assert path.read_bytes() == before


def test_what_was_damaged_before_it_was_added_is_encoded_again(folder, tmp_path, monkeypatch):
    from hashret.cluster.encoding import running

    monkeypatch.setattr(running, "_commit", lambda *given: None)
    encoded(tmp_path, folder, shard_files=12)
    monkeypatch.undo()
    receipt = min((tmp_path / "index" / "plans").rglob("*.json"))
    path = tmp_path / "index" / "files" / json.loads(receipt.read_text())["index"]["name"]
    path.write_bytes(bytes(path.stat().st_size))
    receipt.unlink()
    assert encoded(tmp_path, folder, shard_files=12).kept == 3
    with opened(tmp_path) as index:
        check(tmp_path, index)


@pytest.mark.parametrize(("first", "second"), [("good", "bad"), ("bad", "good"), ("bad", "bad")])
def test_of_two_that_encode_at_once_none_loses_a_file(tmp_path, first, second):
    for number, kind in enumerate((first, second)):
        (tmp_path / f"{number}").mkdir()
        path = tmp_path / f"{number}" / "0.png"
        if kind == "good":
            picture(number).save(path)
        else:
            path.write_bytes(b"\x89PNG\r\n\x1a\n")

    def be_overtaken(done, total):
        if not done:
            encoded(tmp_path, tmp_path / "0")

    with pytest.raises(hashret.IdError, match=r"id 0, of .*/1/0\.png, is present already"):
        encoded(tmp_path, tmp_path / "1", on_unit=be_overtaken)
    encoded(tmp_path, tmp_path / "1")
    with opened(tmp_path) as index:
        told = [path for _, path, _ in index.failures()] + index.paths(index.ids)
        assert sorted(told) == [os.fsencode(tmp_path / name / "0.png") for name in "01"]


@pytest.mark.parametrize("share", [3, 1])
def test_what_was_removed_does_not_come_back(folder, tmp_path, share):
    encoded(tmp_path, folder)
    with opened(tmp_path) as index:
        kept = np.setdiff1d(index.ids, index.ids[::share])
        index.remove(index.ids[::share])
        for _ in range(2):
            again = encoded(tmp_path, folder)
            assert again.codes == 0
            assert len(again.failures) == 2
            index.refresh()
            index.compact()
            np.testing.assert_array_equal(index.ids, kept)
            assert not any(shard.removed for shard in index.shards)
            assert index.search(np.zeros((1, 32), np.uint8), 50)[1].max() == kept.max(initial=-1)


def test_another_encoder_is_refused(folder, tmp_path):
    encoded(tmp_path, folder)
    with pytest.raises(hashret.EncoderMismatchError, match="pdq-512"):
        encoded(tmp_path, folder, encoder="borderless")
    with pytest.raises(hashret.ParameterError, match="fitted"):
        encoded(tmp_path, folder, encoder="hog")
    with pytest.raises(hashret.ParameterError, match="no such file or folder"):
        encoded(tmp_path, tmp_path / "nowhere")
    with pytest.raises(hashret.ParameterError, match="shard_files"):
        encoded(tmp_path, folder, shard_files=0)


def test_files_that_cost_too_much_are_listed(folder, tmp_path):
    Image.new("L", (3000, 3000)).save(folder / "0" / "large.png")
    report = encoded(tmp_path, folder, limits=Limits(pixels=1_000_000))
    assert any(b"large.png" in path for _, path, _ in report.failures)
    assert report.codes == 40


def test_nothing_to_encode_makes_an_index_of_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    report = encoded(tmp_path, tmp_path / "empty")
    assert (report.files, report.codes) == (0, 0)
    assert len(opened(tmp_path)) == 0
    assert open_location(tmp_path / "index").generations() == [0]
