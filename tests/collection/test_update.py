"""What an update does in cases that are known to go wrong, one by one."""

from __future__ import annotations

import os
import shutil
import socket
import time

import pytest
from collection_pictures import (
    Counting,
    Fitting,
    code_of,
    content_of,
    encoded,
    encoders,
    picture,
    read,
)

from hashret import EncoderMismatchError
from hashret.collection.catalogue import GONE, add_root, forget_missing, roots_of, write_catalogue
from hashret.collection.updating import Exclusions, comparing, update
from hashret.images.reading import Skipped

LONG_AGO = 10**9


class Collection:
    """A folder, its store, and updates of it that count."""

    def __init__(self, base):
        self.root, self.store = base / "root", str(base / "store")
        self.root.mkdir()
        self.roots = [self.root]
        self.encoded = 0

    def write(self, name, number, seconds=LONG_AGO):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
        os.utime(path, (seconds, seconds))
        return path

    def update(self, read=read, **options):
        given = encoders()
        with write_catalogue(self.store) as catalogue:
            for root in self.roots:
                add_root(catalogue, str(root)) if root.is_dir() else None
            report = update(catalogue, read, given, **options)
            assert catalogue.check() == []
        self.encoded = encoded(given)
        return report

    def rows(self, columns="path, state", table="files"):
        with write_catalogue(self.store) as catalogue:
            return sorted(catalogue.execute(f"SELECT {columns} FROM {table}").fetchall())


@pytest.fixture
def collection(tmp_path):
    return Collection(tmp_path)


def never(requests):
    for _, path in requests:
        raise AssertionError(f"{path} is read")
    yield from ()


def test_codes_belong_to_their_images(collection):
    for number in range(5):
        collection.write(f"{number}", number)
    report = collection.update()
    assert (report.found, report.new.count, report.encoded) == (5, 5, 5)
    with write_catalogue(collection.store) as catalogue:
        rows = catalogue.execute(
            "SELECT path, code FROM codes JOIN images ON image = images.id "
            "JOIN files USING (content)"
        )
        assert dict(rows.fetchall()) == {
            b"%d" % number: code_of(picture(number)) for number in range(5)
        }
        generation, removed = catalogue.generation
        assert generation > removed
        assert catalogue.execute("SELECT DISTINCT generation FROM codes").fetchall() == [
            (generation,)
        ]


def test_a_thousand_files_and_their_folder_renamed(collection):
    for number in range(1000):
        collection.write(f"folder/{number}", number)
    collection.update()
    images = collection.rows("id, content", "images")
    for number in range(1000):
        os.rename(collection.root / f"folder/{number}", collection.root / f"folder/new {number}")
    os.rename(collection.root / "folder", collection.root / "album")
    report = collection.update(never)
    assert (report.renamed.count, report.new.count, report.missing.count) == (1000, 0, 0)
    assert (report.hashed, report.read, collection.encoded) == (1000, 0, 0)
    after, before = report.renamed.listed[0]
    assert before == os.fsdecode(after).replace("album/new ", "folder/")
    assert collection.rows("id, content", "images") == images
    os.rename(collection.root / "album", collection.root / "folder")
    report = collection.update(never)
    assert (report.renamed.count, report.hashed) == (1000, 0)


def test_another_file_on_the_inode_of_one_that_is_gone_is_read(collection):
    """Of its size and time, as `cp -p` after `rm` makes one on some file systems."""
    collection.write("a", 1)
    collection.update()
    time.sleep(0.02)
    (collection.root / "a").rename(collection.root / "b")
    collection.write("b", 2)
    report = collection.update()
    assert (report.new.count, report.renamed.count, collection.encoded) == (1, 0, 1)
    assert collection.rows("path, state, content") == [
        (b"a", "missing", content_of(picture(1))),
        (b"b", "present", content_of(picture(2))),
    ]


def test_a_raw_file_whose_photograph_is_gone_is_a_picture_of_its_own(collection):
    jpeg = collection.write("a.jpg", 1)
    collection.write("a.CR2", 2)
    assert collection.update().other == 1
    assert collection.update(never).read == 0
    jpeg.unlink()
    report = collection.update()
    assert (report.other, report.read, collection.encoded) == (0, 1, 1)
    assert collection.rows() == [(b"a.CR2", "present"), (b"a.jpg", "missing")]
    assert collection.update(never).read == 0
    collection.write("a.jpg", 1)
    assert collection.update().other == 1


def test_files_moved_to_another_disk_are_found_again_by_their_bytes(collection, tmp_path):
    collection.write("a", 1)
    collection.update()
    data = (collection.root / "a").read_bytes()
    (collection.root / "a").unlink()
    (collection.root / "other").write_bytes(b"another inode")
    os.utime(collection.root / "other", (LONG_AGO,) * 2)
    (collection.root / "b").write_bytes(data)
    os.utime(collection.root / "b", (LONG_AGO + 7,) * 2)
    report = collection.update()
    assert (report.renamed.count, report.missing.count, report.read) == (1, 0, 2)
    assert collection.encoded == 0
    (collection.root / "b").rename(tmp_path / "outside")
    assert collection.update(never).missing.count == 1
    (tmp_path / "outside").rename(collection.root / "c")
    report = collection.update(never)
    assert (report.renamed.count, report.missing.count) == (1, 0)


def test_two_files_swapped_are_told_by_their_inodes(collection):
    one, two = collection.write("1", 1), collection.write("2", 2)
    collection.update()
    one.rename(collection.root / ".swap")
    two.rename(one)
    (collection.root / ".swap").rename(two)
    report = collection.update(never)
    assert report.changed.count == 2
    assert collection.rows("path, content") == [
        (b"1", content_of(picture(2))),
        (b"2", content_of(picture(1))),
    ]


def test_contents_swapped_at_equal_size_and_time_are_found_by_checking(collection):
    collection.write("1", 1), collection.write("2", 2)
    collection.update()
    collection.write("1", 2), collection.write("2", 1)
    assert collection.update(never).changed.count == 0
    assert collection.update(never, check_content=True).changed.count == 2
    assert collection.encoded == 0
    assert collection.rows("path, content")[0] == (b"1", content_of(picture(2)))


def test_a_change_within_the_tick_of_the_scan_is_found(collection):
    now = int(time.time())
    collection.write("1", 1, now)
    collection.update()
    collection.write("1", 2, now)
    assert collection.update().changed.count == 1
    assert collection.rows("content") == [(content_of(picture(2)),)]


def test_an_old_file_is_not_looked_at_again_and_a_new_one_is_hashed_only(collection):
    collection.write("old", 1), collection.write("new", 2, time.time())
    collection.update()
    report = collection.update(never)
    assert (report.hashed, report.changed.count, collection.encoded) == (1, 0, 0)


def test_a_root_replaced_and_put_back(collection, tmp_path):
    collection.write("a/1", 1), collection.write("2", 2)
    collection.update()
    collection.root.rename(tmp_path / "away")
    report = collection.update(never)
    assert report.missing.count == 2
    reason = "No such file or directory"
    assert report.unreachable.listed == [(os.fsencode(collection.root), reason)]
    collection.root.mkdir()
    report = collection.update(never)
    assert {reason for _, reason in report.missing.listed} == {comparing.EMPTY}
    (collection.root / "another").write_bytes(picture(3))
    assert {reason for _, reason in collection.update().missing.listed} == {GONE}
    shutil.rmtree(collection.root)
    (tmp_path / "away").rename(collection.root)
    report = collection.update(never)
    assert (report.back.count, report.missing.count, collection.encoded) == (2, 1, 0)
    with write_catalogue(collection.store) as catalogue:
        assert forget_missing(catalogue) == (1, 1)
        assert forget_missing(catalogue) == (0, 0)


def test_nested_roots_have_each_file_once(collection, tmp_path):
    collection.write("in/1", 1), collection.write("2", 2), collection.write("in/bad", 3)
    (collection.root / "in/bad").write_bytes(b"bad")
    collection.update()
    collection.roots += [collection.root / "in", tmp_path / "link", collection.root / "."]
    (tmp_path / "link").symlink_to("root")
    report = collection.update()
    assert (report.missing.count, report.found, collection.encoded) == (0, 3, 0)
    assert collection.rows("root, path") == [(1, b"2"), (2, b"1"), (2, b"bad")]


def test_a_collection_moves_with_its_store(tmp_path):
    collection = Collection(tmp_path)
    collection.store = str(collection.root / ".hashret")
    collection.write("1", 1)
    assert collection.update().found == 1
    collection.root.rename(tmp_path / "moved")
    with write_catalogue(str(tmp_path / "moved" / ".hashret")) as catalogue:
        assert roots_of(catalogue) == [(1, os.fsencode(tmp_path / "moved"))]
        assert update(catalogue, never, encoders()).missing.count == 0


def test_what_is_no_file_is_a_row_and_never_a_wait(collection):
    root = collection.root
    collection.write("real", 1), collection.write("folder/in", 2)
    os.mkfifo(root / "fifo")
    os.link(root / "real", root / "hard")
    for name, target in {
        "dangling": "nothing",
        "loop": "loop",
        "device": "/dev/zero",
        "to file": "real",
        "to folder": "folder",
        "up": "..",
    }.items():
        (root / name).symlink_to(target)
    server = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    try:
        os.chdir(root)  # a socket's path may not be long
        server.bind("socket")
    finally:
        os.chdir(here)
        server.close()
    report = collection.update()
    assert {os.path.basename(path): why for path, why in report.skipped.listed} == {
        b"fifo": "a named pipe",
        b"dangling": "a link to nothing",
        b"loop": "a link that leads back to itself",
        b"device": "a device",
        b"socket": "a socket",
    }
    assert collection.encoded == 2
    links = dict(collection.rows("path, link"))
    assert {b"hard", b"real", b"to file", b"folder/in"} <= links.keys()
    assert not {b"to folder", b"to folder/in", b"up"} & links.keys()
    assert (links[b"to file"], links[b"hard"]) == (1, 0)


def test_exclusions_and_what_they_leave_of_files_known_before(collection, tmp_path):
    names = ["a", ".hidden", "@eaDir/a", "$RECYCLE.BIN/a", ".Trash-1000/a", "b.tmp", "quarantine/a"]
    for number, name in enumerate(names):
        collection.write(name, number)
    collection.write("drafts/x", 20)
    report = collection.update(
        exclusions=Exclusions(["*.tmp"]), leave_out=[str(collection.root / "quarantine")]
    )
    assert collection.rows("path") == [(b"a",), (b"drafts/x",)]
    report = collection.update(
        exclusions=Exclusions(["*.tmp", "/drafts/"]), leave_out=[collection.root / "quarantine"]
    )
    assert (collection.rows("path"), report.missing.count) == ([(b"a",)], 0)
    assert len(collection.rows("id", "images")) == 2


def test_a_file_that_may_be_read_now_is_read_and_a_damaged_one_is_not_again(collection):
    path = collection.write("1", 1)
    (collection.root / "damaged").write_bytes(b"damaged")
    os.utime(collection.root / "damaged", (LONG_AGO,) * 2)
    time.sleep(0.01)
    denied = lambda requests: (Skipped(token, "Permission denied") for token, _ in requests)  # noqa: E731
    assert collection.update(denied).skipped.count == 2
    assert collection.update(never).skipped.count == 2
    os.chmod(path, 0o640)
    report = collection.update()
    assert (report.read, report.skipped.count) == (1, 1)
    assert collection.update(retry_skipped=True).read == 1


def test_a_second_encoder_reads_each_image_once_and_a_third_time_nothing(collection):
    collection.write("1", 1), collection.write("copy", 1), collection.write("2", 2)
    collection.update()
    given = encoders("one", "two", "three")
    with write_catalogue(collection.store) as catalogue:
        report = update(catalogue, read, given)
        assert (report.read, report.encoded, encoded(given)) == (2, 2, 4)
        assert update(catalogue, never, given).read == 0
        other = [Counting("one", "another")]
        with pytest.raises(EncoderMismatchError):
            update(catalogue, never, other)


def test_a_file_that_changes_between_scan_and_reading(collection):
    collection.write("1", 1)

    def late(requests):
        requests = list(requests)
        collection.write("1", 2, LONG_AGO + 5)
        return read(requests)

    collection.update(late)
    assert collection.rows("content, racy") == [(content_of(picture(2)), 1)]
    assert collection.update(never).hashed == 1
    assert collection.rows("content, racy") == [(content_of(picture(2)), 0)]


class Noting:
    """A reader that notes which files it was asked for."""

    def __init__(self):
        self.paths = []

    def __call__(self, requests):
        for request in requests:
            self.paths.append(os.path.basename(request[1]))
            yield from read([request])


def codes_in(catalogue, name):
    rows = catalogue.execute(
        "SELECT path, code FROM codes JOIN images ON image = images.id JOIN files USING (content) "
        "JOIN encoders ON encoder = encoders.id WHERE name = ?",
        (name,),
    )
    return dict(rows.fetchall())


@pytest.mark.parametrize("count", [1, 3, 4, 5, 30])
def test_what_is_read_for_fitting_is_not_read_again(collection, count):
    for number in range(count):
        collection.write(f"{number}", number)
    collection.write("copy", 0)
    damaged = collection.root / "damaged"
    damaged.write_bytes(b"BM, and no more")
    os.utime(damaged, (LONG_AGO, LONG_AGO))
    names = {os.fsencode(path.name) for path in collection.root.iterdir()}
    reader, fitting = Noting(), Fitting()
    report = collection.update(reader, unfitted=[fitting])
    assert sorted(reader.paths) == sorted(names), "each once"
    assert len(fitting.contents) == len(set(fitting.contents)) <= 4
    assert fitting.result.count == collection.encoded == report.encoded == count
    assert (report.read, report.to_read, report.skipped.count) == (count + 2, count + 2, 1)
    with write_catalogue(collection.store) as catalogue:
        wanted = {b"%d" % number: code_of(picture(number)) for number in range(count)}
        wanted[b"copy"] = code_of(picture(0))
        assert codes_in(catalogue, "one") == codes_in(catalogue, "fitted") == wanted
        assert update(catalogue, never, [Counting(), fitting.result]).read == 0


def test_a_collection_without_a_picture_fits_nothing(collection):
    (collection.root / "damaged").write_bytes(b"BM, and no more")
    fitting = Fitting()
    report = collection.update(unfitted=[fitting])
    assert (report.read, report.skipped.count) == (1, 1)
    assert collection.rows("name", "encoders") == [("one",)]


def test_an_encoder_fitted_later_reads_known_files_once_and_makes_its_own_codes_only(collection):
    for number in range(6):
        collection.write(f"{number}", number)
    collection.update()
    collection.write("6", 6)
    reader, fitting = Noting(), Fitting(sample=3)
    report = collection.update(reader, unfitted=[fitting])
    assert sorted(reader.paths) == [b"%d" % number for number in range(7)]
    assert (report.new.count, report.changed.count, collection.encoded) == (1, 0, 1)
    assert fitting.result.count == 7
    # The same one again, beside itself: all codes are there.
    again = Fitting(sample=3)
    collection.update(unfitted=[again], replace=True)
    assert again.contents == fitting.contents
    assert len(collection.rows("image, encoder", "codes")) == 14


def test_a_sample_that_is_interrupted_leaves_no_encoder_behind(collection):
    """Who asks for all encoders of a new collection must be asked again for all of them."""
    for number in range(3):
        collection.write(f"{number}", number)

    def interrupted(requests):
        yield from read(list(requests)[:2])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collection.update(interrupted, unfitted=[Fitting()])
    assert collection.rows("name", "encoders") == []
    assert collection.update(unfitted=[Fitting()]).encoded == 3
