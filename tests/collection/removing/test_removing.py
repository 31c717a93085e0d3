"""Duplicates go to the quarantine with their companions, or become links, and come back."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
from contextlib import suppress

import pytest
from collection_pictures import content_of, picture
from removing_collection import (
    assert_settled,
    contents,
    copy_of,
    files_in,
    fill,
    mounted,
    pairs,
    write,
)

from hashret import ParameterError
from hashret.collection.catalogue import read_catalogue, write_catalogue
from hashret.collection.removing import (
    Duplicate,
    batches,
    linking,
    moving,
    remove,
    reserve_batch,
    undo,
)
from hashret.collection.removing.linking import is_linked

ONE, TWO = picture(1), picture(2)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def store(root):
    return root / ".hashret"


def quarantined(*roots):
    return sum(
        len(names) for root in roots for _, _, names in os.walk(root / ".hashret" / "quarantine")
    )


def apply(store, keeper, *members, hardlink=False):
    with write_catalogue(str(store)) as catalogue:
        return remove(catalogue, pairs(catalogue, keeper, *members), hardlink=hardlink)


def undone(store, batch=None):
    with write_catalogue(str(store)) as catalogue:
        return undo(catalogue, batch)


NAMES = [
    "b.bmp",
    "new\nline.bmp",
    os.fsdecode(b"no\xffutf8.bmp"),
    "<b>markup.bmp",
    "n" * 251 + ".bmp",
    "deep/er/b.bmp",
]


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(root, store, name):
    keeper, member = write(root / "a.bmp", ONE), write(root / name, ONE)
    fill(store, root)
    before = member.stat()
    removed = apply(store, keeper, member)
    assert (removed.files, removed.size, removed.left) == (1, len(ONE), [])
    assert not member.exists()
    assert quarantined(root) == 1
    assert_settled(store)
    back = undone(store)
    assert (back.batch, back.back, back.left) == (1, 1, [])
    assert member.read_bytes() == ONE
    assert (member.stat().st_ino, member.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert quarantined(root) == 0
    assert not list((store / "quarantine").iterdir())
    assert_settled(store)
    assert undone(store).back == 0


def test_companions_go_and_come_with_their_photograph(root, store):
    keeper, member = write(root / "a.jpg", ONE), write(root / "b" / "p.jpg", TWO)
    others = [
        write(root / "b" / name, name.encode()) for name in ("p.CR2", "p.xmp", "p.MOV", "p.CR2.xmp")
    ]
    write(root / "b" / "q.xmp", b"of another")
    fill(store, root)
    before = files_in(root)
    removed = apply(store, keeper, member)
    assert removed.files == 5
    assert files_in(root).keys() == {"a.jpg", "b/q.xmp"}
    assert_settled(store)
    assert undone(store).back == 5
    assert files_in(root) == before
    assert all(path.exists() for path in others)
    assert_settled(store)


def test_a_companion_that_cannot_go_keeps_all_of_them(root, store, monkeypatch):
    keeper, member = write(root / "a.jpg", ONE), write(root / "p.jpg", TWO)
    write(root / "p.CR2", b"raw"), write(root / "p.xmp", b"xmp")
    fill(store, root)
    before, link = files_in(root), os.link

    def full(source, target, **options):
        if source.endswith(b".xmp"):
            raise OSError(errno.ENOSPC, "No space left on device")
        link(source, target, **options)

    monkeypatch.setattr(moving.os, "link", full)
    removed = apply(store, keeper, member)
    assert removed.left == [(os.fsencode(member), "No space left on device")]
    assert removed.files == 0
    assert files_in(root) == before
    assert quarantined(root) == 0
    assert undone(store).batch is None
    assert_settled(store)


@pytest.mark.parametrize("which", ["keeper", "member", "keeper gone", "member gone", "folder"])
def test_what_has_changed_since_stays(root, store, tmp_path, which):
    keeper, member = write(root / "a.bmp", ONE), write(root / "b" / "b.bmp", ONE)
    fill(store, root)
    with write_catalogue(str(store)) as catalogue:
        plan = pairs(catalogue, keeper, member)
        chosen = keeper if "keeper" in which else member
        if which == "folder":
            os.rename(root / "b", tmp_path / "elsewhere")
            (root / "b").symlink_to(tmp_path / "elsewhere")
        elif "gone" in which:
            chosen.unlink()
        else:
            write(chosen, TWO)
        before = files_in(root)
        removed = remove(catalogue, plan)
    assert removed.files == 0
    assert [path for path, _ in removed.left] == [os.fsencode(member)]
    assert files_in(root) == before


def test_the_same_file_by_another_path_is_no_duplicate(root, store):
    keeper = write(root / "a.bmp", ONE)
    os.link(keeper, root / "hard.bmp")
    os.symlink("a.bmp", root / "soft.bmp")
    fill(store, root)
    removed = apply(store, keeper, root / "hard.bmp", root / "soft.bmp", keeper)
    assert removed.files == 0
    assert len(removed.left) == 3
    assert files_in(root).keys() == {"a.bmp", "hard.bmp", "soft.bmp"}


def test_a_file_that_a_symbolic_link_leads_to_stays(root, store):
    keeper, member = write(root / "a.bmp", ONE), write(root / "b.bmp", ONE)
    os.symlink("b.bmp", root / "soft.bmp")
    fill(store, root)
    removed = apply(store, keeper, member)
    assert removed.left == [(os.fsencode(member), "a symbolic link leads to it")]


def test_who_is_kept_for_another_does_not_go(root, store):
    a, b, c = (write(root / f"{name}.bmp", ONE) for name in "abc")
    fill(store, root)
    with write_catalogue(str(store)) as catalogue:
        plan = [*pairs(catalogue, a, b), *pairs(catalogue, b, c), *pairs(catalogue, c, a)]
        removed = remove(catalogue, plan)
    assert removed.files == 1
    assert files_in(root).keys() == {"a.bmp", "c.bmp"}


def test_undo_puts_nothing_over_another_file(root, store):
    keeper, member = write(root / "a.bmp", ONE), write(root / "b.bmp", ONE)
    fill(store, root)
    apply(store, keeper, member)
    write(member, TWO)
    back = undone(store)
    assert back.back == 0
    assert "something else has its name now" in back.left[0][1]
    assert member.read_bytes() == TWO
    member.unlink()
    assert undone(store).back == 1
    assert member.read_bytes() == ONE


def test_batches_are_undone_by_number(root, store):
    paths = [write(root / f"{number}.bmp", ONE) for number in range(4)]
    fill(store, root)
    for path in paths[1:]:
        apply(store, paths[0], path)
    assert undone(store, 2).back == 1
    assert undone(store, 2).back == 0
    assert sorted(files_in(root)) == ["0.bmp", "2.bmp"]
    assert undone(store).batch == 3
    with read_catalogue(str(store)) as catalogue:
        assert [(one.number, one.away, one.back) for one in batches(catalogue)] == [
            (1, 1, 0),
            (2, 0, 1),
            (3, 0, 1),
        ]
    with pytest.raises(ParameterError, match="batch: expected one of 1, 2, 3, got 9"):
        undone(store, 9)


def test_a_number_that_is_reserved_is_no_other_batch(root, store):
    paths = [write(root / f"{number}.bmp", ONE) for number in range(3)]
    fill(store, root)
    with write_catalogue(str(store)) as catalogue:
        assert [reserve_batch(catalogue), reserve_batch(catalogue)] == [1, 2]
    assert apply(store, paths[0], paths[1]).batch == 3
    with write_catalogue(str(store)) as catalogue:
        assert reserve_batch(catalogue) == 4
    assert apply(store, paths[0], paths[2]).batch == 5


def test_image_keeps_its_id_in_the_quarantine_even_if_missing_ones_are_forgotten(root, store):
    from hashret.collection.catalogue import forget_missing

    keeper, member = write(root / "a.bmp", ONE), write(root / "b.bmp", TWO)
    fill(store, root)
    query = "SELECT id FROM images WHERE content = ?"
    with write_catalogue(str(store)) as catalogue:
        before = catalogue.execute(query, (content_of(TWO),)).fetchone()
        remove(catalogue, pairs(catalogue, keeper, member))
        assert forget_missing(catalogue) == (0, 0)
        undo(catalogue)
        assert catalogue.execute(query, (content_of(TWO),)).fetchone() == before
    assert_settled(store)


def test_each_root_has_its_quarantine_and_the_store_that_of_others(tmp_path):
    roots = [tmp_path / name for name in ("one", "two")]
    for number, root in enumerate(roots):
        write(root / "a.bmp", ONE), write(root / "b.bmp", picture(number + 5))
    write(roots[1] / ".hashret", b"a file where the folder would be")
    store = tmp_path / "store"
    fill(store, *roots)
    removed = apply(store, roots[0] / "a.bmp", *(root / "b.bmp" for root in roots))
    assert (removed.files, removed.left) == (2, [])
    assert quarantined(roots[0]) == 1
    assert len([*store.glob("quarantine/*/b.bmp")]) == 1
    assert undone(store).back == 2
    assert_settled(store)


def test_a_file_changed_in_the_quarantine_comes_back_and_is_looked_at(root, store):
    keeper, member = write(root / "a.bmp", ONE), write(root / "b.bmp", ONE)
    fill(store, root)
    apply(store, keeper, member)
    (there,) = store.glob("quarantine/*/b.bmp")
    write(there, TWO)
    assert undone(store).back == 1
    assert member.read_bytes() == TWO
    with read_catalogue(str(store)) as catalogue:
        assert catalogue.execute("SELECT count(*) FROM files").fetchone() == (1,)


def test_links_replace_equal_files_and_become_files_again(root, store):
    keeper = write(root / "a.bmp", ONE)
    member = write(root / "b.bmp", ONE, 5 * 10**17)
    os.chmod(member, 0o600)
    other = write(root / "c.bmp", TWO)
    fill(store, root)
    removed = apply(store, keeper, member, hardlink=True)
    assert (removed.files, removed.left) == (1, [])
    assert is_linked(os.fsencode(keeper), os.fsencode(member))
    assert sorted(os.listdir(root)) == [".hashret", "a.bmp", "b.bmp", "c.bmp"]
    assert_settled(store)
    assert apply(store, keeper, member, hardlink=True).files == 0
    assert undone(store, 1).back == 1
    assert not is_linked(os.fsencode(keeper), os.fsencode(member))
    assert member.read_bytes() == ONE
    assert (member.stat().st_mtime_ns, member.stat().st_mode & 0o777) == (5 * 10**17, 0o600)
    assert_settled(store)
    with pytest.raises(ParameterError, match="same bytes"):
        apply(store, keeper, other, hardlink=True)


@pytest.mark.parametrize("which", ["keeper", "member"])
def test_files_changed_while_they_are_linked_are_as_they_were(root, store, monkeypatch, which):
    keeper, member = write(root / "a.bmp", ONE), write(root / "b.bmp", ONE)
    changed, other = (keeper, member) if which == "keeper" else (member, keeper)
    fill(store, root)
    link, calls = os.link, []

    def change(source, target):
        link(source, target)
        calls.append(target)
        if len(calls) == 1:
            changed.write_bytes(TWO)

    monkeypatch.setattr(linking.os, "link", change)
    removed = apply(store, keeper, member, hardlink=True)
    assert removed.left == [(os.fsencode(member), "changed meanwhile")]
    assert (changed.read_bytes(), other.read_bytes()) == (TWO, ONE)
    assert sorted(os.listdir(root)) == [".hashret", "a.bmp", "b.bmp"]


def test_a_link_that_is_interrupted_before_it_is_checked_is_taken_back(root, store, monkeypatch):
    keeper, member = write(root / "a.bmp", ONE), write(root / "b.bmp", ONE)
    fill(store, root)

    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(linking, "digest", interrupt)
    with pytest.raises(KeyboardInterrupt):
        apply(store, keeper, member, hardlink=True)
    assert not is_linked(os.fsencode(keeper), os.fsencode(member))
    assert sorted(os.listdir(root)) == [".hashret", "a.bmp", "b.bmp"]


def test_a_keeper_changed_before_a_link_was_settled_costs_nothing(root):
    keeper, place, old, part = (os.fsencode(root / name) for name in "abcd")
    write(root / "a", ONE), write(root / "c", ONE)
    os.link(keeper, place)
    (root / "a").write_bytes(TWO)
    assert not linking.settle_link(place, keeper, part, old, content_of(ONE))
    assert files_in(root) == {"a": TWO, "b": ONE}


def test_what_takes_the_place_of_a_link_while_it_is_undone_stays(root, store, monkeypatch):
    keeper, member = write(root / "a.bmp", ONE), write(root / "b.bmp", ONE)
    fill(store, root)
    apply(store, keeper, member, hardlink=True)
    copy = linking.write_copy

    def replace(source, part):
        copy(source, part)
        os.replace(write(root / "new", TWO), member)

    monkeypatch.setattr(linking, "write_copy", replace)
    assert undone(store).left == [(os.fsencode(member), "changed while it was copied")]
    assert files_in(root) == {"a.bmp": ONE, "b.bmp": TWO}


def test_a_linked_file_that_was_changed_stays_linked(root, store):
    keeper, member = write(root / "a.bmp", ONE), write(root / "b.bmp", ONE)
    fill(store, root)
    apply(store, keeper, member, hardlink=True)
    member.write_bytes(TWO)
    assert undone(store).left == [(os.fsencode(member), "has other bytes now")]
    assert keeper.read_bytes() == TWO


def fill_disk(folder):
    with (folder / "rest").open("wb", buffering=0) as rest, suppress(OSError):
        while rest.write(b"\1" * 4096):
            pass


def test_across_file_systems_there_is_a_copy_first(root, store):
    keeper = write(root / "a.bmp", ONE)
    with mounted(root / "disk"):
        member = write(root / "disk" / "b.bmp", ONE)
        fill(store, root)
        assert apply(store, keeper, member, hardlink=True).left == [
            (os.fsencode(member), "on another file system than its keeper")
        ]
        removed = apply(store, keeper, member)
        assert (removed.files, removed.left) == (1, [])
        assert quarantined(root) == 1
        assert_settled(store)
        assert undone(store).back == 1
        assert member.read_bytes() == ONE
        assert member.stat().st_mtime_ns == 10**18
        assert_settled(store)


def test_a_disk_that_is_full_on_the_way_back_costs_nothing(root, store):
    keeper = write(root / "a.bmp", ONE)
    with mounted(root / "disk"):
        members = [
            write(root / "disk" / f"{number}.bmp", picture(number) + b"\0" * 30_000)
            for number in range(6)
        ]
        fill(store, root)
        before = contents(root)
        assert apply(store, keeper, *members).files == 6
        (root / "disk" / "other").write_bytes(b"\1" * 150_000)
        back = undone(store)
        assert 0 < back.back < 6
        assert "No space left" in back.left[0][1]
        assert before <= contents(root)
        (root / "disk" / "other").unlink()
        assert undone(store).back == 6 - back.back
        assert contents(root) == before


def test_a_file_system_that_became_read_only_keeps_its_files(root, store):
    keeper = write(root / "a.bmp", ONE)
    with mounted(root / "disk"):
        member = write(root / "disk" / "b.bmp", ONE)
        fill(store, root)
        remount = ["mount", "-o", "remount,ro", str(root / "disk")]
        if subprocess.run(remount, check=False, capture_output=True).returncode:
            pytest.skip("needs the right to mount")
        removed = apply(store, keeper, member)
        assert removed.left == [(os.fsencode(member), "Read-only file system")]
        assert quarantined(root) == 0
        assert member.read_bytes() == ONE


def test_a_store_on_a_full_disk_moves_nothing(root, tmp_path):
    keeper = write(root / "a.bmp", ONE)
    members = [write(root / "m" / f"{number:0200}.bmp", ONE) for number in range(300)]
    with mounted(tmp_path / "small", "700k"):
        store = tmp_path / "small" / "store"
        fill(store, root)
        before = contents(root)
        with write_catalogue(str(store)) as catalogue:
            plan = pairs(catalogue, keeper, *members)
            fill_disk(tmp_path / "small")
            with pytest.raises(sqlite3.Error, match=r"full|I/O"):
                remove(catalogue, plan)
        assert contents(root) == before
        (tmp_path / "small" / "rest").unlink()
        undone(store)
        assert contents(root) == before
        assert_settled(store)


def test_where_there_are_no_hard_links_files_are_renamed(root, store, monkeypatch):
    keeper, member = write(root / "a.bmp", ONE), write(root / "b.bmp", ONE)
    fill(store, root)

    def none(*given, **options):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(moving.os, "link", none)
    assert apply(store, keeper, member).files == 1
    write(member, TWO)
    with pytest.raises(FileExistsError):
        moving.move(os.fsencode(keeper), os.fsencode(member), b"")
    member.unlink()
    assert undone(store).back == 1
    assert_settled(store)


def test_a_keeper_that_was_the_same_file_after_all_brings_it_back(root, store, monkeypatch):
    """As if one disk were mounted twice, with other numbers each time."""
    keeper, member = write(root / "a.bmp", ONE), write(root / "b.bmp", ONE)
    fill(store, root)
    move = moving.move

    def both(source, target, part):
        move(source, target, part)
        keeper.unlink(missing_ok=True)

    from hashret.collection.removing import remover

    monkeypatch.setattr(remover, "move", both)
    removed = apply(store, keeper, member)
    assert removed.files == 0
    assert member.read_bytes() == ONE


def test_a_plan_of_any_length_takes_few_transactions(root, store):
    keeper = write(root / "a.bmp", ONE)
    members = [write(root / f"{number}.bmp", ONE) for number in range(150)]
    fill(store, root)
    seen = []
    with write_catalogue(str(store)) as catalogue:
        plan = (Duplicate(copy_of(catalogue, keeper), copy_of(catalogue, one)) for one in members)
        removed = remove(catalogue, plan, on_batch=lambda report: seen.append(report.files))
    assert seen == [64, 128, 150]
    assert removed.files == 150
