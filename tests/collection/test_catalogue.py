"""The catalogue: one writer, many readers, and files that are none."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress

import pytest

from hashret import EncoderMismatchError, FormatError, HashretError, LockedError
from hashret.collection.catalogue import NAME, enter_encoder, read_catalogue, write_catalogue
from hashret.collection.catalogue import catalogue as module
from hashret.collection.catalogue.mounts import has_lasting_inodes, is_network

HOLD = """
import sys, time
from hashret.collection.catalogue import enter_encoder, write_catalogue
held = write_catalogue(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")


@pytest.fixture
def holder(store):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, store], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def add(catalogue, name):
    with catalogue.transaction():
        enter_encoder(catalogue, name, name, 256, {})


def names(store):
    with read_catalogue(store) as catalogue:
        return [row[0] for row in catalogue.execute("SELECT name FROM encoders ORDER BY name")]


def test_a_second_writer_is_told_who_writes(store, holder):
    with pytest.raises(LockedError, match=f"by process {holder.pid} on "):
        write_catalogue(store)
    assert names(store) == []


def test_a_dead_writers_lock_is_free(store, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with write_catalogue(store) as catalogue:
        add(catalogue, "a")
    assert names(store) == ["a"]


def test_one_process_has_one_writer_too(store):
    with write_catalogue(store), pytest.raises(LockedError, match=str(os.getpid())):
        write_catalogue(store)
    write_catalogue(store).close()


def test_what_fails_lets_go_of_the_lock(store):
    os.makedirs(store)
    with open(os.path.join(store, NAME), "wb") as file:
        file.write(b"no database at all" * 100)
    for _ in range(2):
        with pytest.raises(FormatError, match="no catalogue, or a damaged one"):
            write_catalogue(store)
    with pytest.raises(FormatError, match="no catalogue, or a damaged one"):
        read_catalogue(store)


def test_readers_see_what_is_acknowledged_and_nothing_else(store):
    with write_catalogue(store) as catalogue:
        add(catalogue, "a")
        with read_catalogue(store) as reader, catalogue.transaction():
            enter_encoder(catalogue, "b", "b", 256, {})
            assert names(store) == ["a"]
            with pytest.raises(HashretError, match="opened for reading"):
                reader.execute("DELETE FROM encoders")
        assert names(store) == ["a", "b"]


def test_a_reader_keeps_what_it_began_with_while_another_thread_writes(store):
    with write_catalogue(store) as catalogue:
        add(catalogue, "a")
        done = threading.Event()

        def write():
            for number in range(200):
                add(catalogue, f"b{number}")
            done.set()

        thread = threading.Thread(target=write)
        thread.start()
        seen = []
        while not done.is_set():
            with read_catalogue(store) as reader:
                reader.execute("BEGIN")
                query = "SELECT count(*) FROM encoders"
                counts = {reader.execute(query).fetchone()[0] for _ in range(5)}
                assert len(counts) == 1
                seen += counts
        thread.join()
    assert seen == sorted(seen)
    assert len(names(store)) == 201


def test_an_error_in_a_transaction_undoes_all_of_it(store):
    with write_catalogue(store) as catalogue:
        with suppress(ZeroDivisionError), catalogue.transaction():
            enter_encoder(catalogue, "a", "a", 256, {})
            raise ZeroDivisionError
        add(catalogue, "b")
    assert names(store) == ["b"]


def test_every_commit_is_on_the_disk(store):
    with write_catalogue(store) as catalogue:
        assert catalogue.execute("PRAGMA synchronous").fetchone() == (2,)
        assert catalogue.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_no_log_on_a_network_file_system(store, monkeypatch):
    write_catalogue(store).close()
    monkeypatch.setattr(module, "is_network", lambda folder: True)
    with write_catalogue(store) as catalogue:
        assert catalogue.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        add(catalogue, "a")
        assert names(store) == ["a"]


def test_file_systems_are_told_apart(tmp_path):
    table = tmp_path / "mounts"
    table.write_text(
        "/dev/a / ext4 rw 0 0\nserver:/x /far nfs4 rw 0 0\nx /far/close ext4 rw 0 0\n"
        "y /with\\040space fuse.sshfs rw 0 0\n/dev/s /stick exfat rw 0 0\nz /twice ext4 rw 0 0\n"
        "//host/share /twice cifs rw 0 0\n/dev/n /disk fuseblk rw 0 0\n"
    )
    network = {"/far", "/far/a b", "/with space/a", "/twice"}
    for folder in network | {"/", "/farther", "/far/close/x", "/stick", "/disk/x"}:
        assert is_network(folder, str(table)) == (folder in network), folder
    passing = {"/stick/a", "/twice", "/with space", "/disk"}
    for folder in passing | {"/", "/far", "/stickier"}:
        assert has_lasting_inodes(folder, str(table)) == (folder not in passing), folder
    assert not is_network("/far", str(tmp_path / "none"))


def test_a_newer_version_and_another_programs_file_are_refused(store):
    with write_catalogue(store) as catalogue:
        catalogue.execute("PRAGMA user_version = 7")
    for opened in (write_catalogue, read_catalogue):
        with pytest.raises(FormatError, match="version 7, written by a newer hashret"):
            opened(store)
    with sqlite3.connect(os.path.join(store, NAME)) as connection:
        connection.execute("PRAGMA application_id = 5")
    connection.close()
    for opened in (write_catalogue, read_catalogue):
        with pytest.raises(FormatError, match="an SQLite file, but no catalogue"):
            opened(store)


def test_no_catalogue_is_no_catalogue(store):
    with pytest.raises(FileNotFoundError):
        read_catalogue(store)
    assert not os.path.exists(store)
    os.makedirs(store)
    open(os.path.join(store, NAME), "wb").close()
    with pytest.raises(FormatError, match="empty"):
        read_catalogue(store)
    write_catalogue(store).close()
    assert names(store) == []


def test_another_encoder_of_the_same_name_is_refused(store):
    with write_catalogue(store) as catalogue:
        assert enter_encoder(catalogue, "a", "x", 256, {}) == enter_encoder(
            catalogue, "a", "x", 256, {}
        )
        with pytest.raises(EncoderMismatchError, match="made with x, not y"):
            enter_encoder(catalogue, "a", "y", 256, {})


def test_a_store_whose_log_was_cut_short_has_all_up_to_there(store, tmp_path, rng):
    with write_catalogue(store) as catalogue:
        for number in range(40):
            add(catalogue, f"{number:03}")
        size = os.path.getsize(os.path.join(store, NAME + "-wal"))
        for number, cut in enumerate([0, size, *rng.integers(0, size, 20)]):
            copy = tmp_path / str(number)
            shutil.copytree(store, copy)
            (copy / f"{NAME}-shm").unlink()
            os.truncate(copy / f"{NAME}-wal", cut)
            with write_catalogue(str(copy)) as copied:
                assert copied.check() == []
            found = names(str(copy))
            assert found == [f"{n:03}" for n in range(len(found))]
    assert len(found) <= 40


READ_AS_NOBODY = """
import os, sys
from hashret.collection.catalogue import enter_encoder, read_catalogue, write_catalogue
if os.getuid() == 0:
    os.setuid(65534)
with read_catalogue(sys.argv[1]) as catalogue:
    print(catalogue.execute("SELECT name FROM encoders").fetchall())
try:
    write_catalogue(sys.argv[1])
except OSError as error:
    print(type(error).__name__)
"""


def test_a_store_that_cannot_be_written_can_be_read():
    # pytest's own folder is closed to other users.
    with tempfile.TemporaryDirectory() as store:
        with write_catalogue(store) as catalogue:
            add(catalogue, "a")
        for name in os.listdir(store):
            os.chmod(os.path.join(store, name), 0o444)
        os.chmod(store, 0o555)
        command = [sys.executable, "-c", READ_AS_NOBODY, store]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        os.chmod(store, 0o755)
    assert done.stdout.splitlines() == ["[('a',)]", "PermissionError"], done


def test_a_full_disk_loses_nothing_that_was_acknowledged(store):
    with write_catalogue(store) as catalogue:
        add(catalogue, "a")
        pages = catalogue.execute("PRAGMA page_count").fetchone()[0]
        catalogue.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            add(catalogue, "b" * 100_000)
        catalogue.execute(f"PRAGMA max_page_count = {2**30}")
        add(catalogue, "c")
        assert catalogue.check() == []
    assert names(store) == ["a", "c"]
