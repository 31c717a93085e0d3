"""Files: whole or not at all, with the mode, the links and the names of what they replace."""

from __future__ import annotations

import ast
import errno
import os
import stat
import threading
from pathlib import Path

import numpy as np
import pytest

import hashret
from hashret.errors import DTypeError, FormatError, ParameterError
from hashret.files import replacing, write_bytes, write_text

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links are POSIX's")
PACKAGE = Path(hashret.__file__).parent


def index(path):
    made = hashret.Index(8)
    made.add(np.zeros((1, 1), np.uint8))
    made.save(path)


def encoder(path):
    encoders = pytest.importorskip("hashret.encoders", reason="needs the extra 'images'")
    encoders.PCAHashing(4).fit(np.random.default_rng(0).normal(size=(20, 8))).save(path)


def tensors(path):
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    from hashret.deep.saving.storage import write_tensors

    write_tensors(path, {"weight": torch.zeros(2)}, {"kind": "test"})


def picture(path):
    figure = pytest.importorskip("matplotlib.figure", reason="needs the extra 'plot'")
    from hashret.evaluation.canvas import save

    save(figure.Figure(figsize=(1, 1)), path)


WRITERS = [index, encoder, tensors, picture, lambda path: write_text(path, "ä\n")]
NAMES = ["index", "encoder", "tensors", "picture", "text"]
writers = pytest.mark.parametrize("write", WRITERS, ids=NAMES)


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@posix
@writers
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o027, 0o077])
def test_a_new_file_follows_the_umask(tmp_path, umask, mask, write):
    umask(mask)
    write(tmp_path / "new")
    assert mode_of(tmp_path / "new") == 0o666 & ~mask


@posix
@writers
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666, 0o755])
def test_a_file_that_is_there_keeps_its_mode(tmp_path, umask, mode, write):
    path = tmp_path / "old"
    path.write_bytes(b"")
    path.chmod(mode)
    write(path)
    assert mode_of(path) == mode
    assert path.stat().st_size


@posix
@writers
@pytest.mark.parametrize("there", [True, False], ids=["a file", "nothing yet"])
def test_links_are_followed_to_what_they_name(tmp_path, there, write):
    (tmp_path / "data").mkdir()
    real = tmp_path / "data/real"
    if there:
        real.write_bytes(b"old")
    (tmp_path / "second").symlink_to("data/real")
    (tmp_path / "first").symlink_to(tmp_path / "second")
    write(tmp_path / "first")
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert real.is_file()
    assert real.read_bytes() != b"old"
    assert os.listdir(tmp_path / "data") == ["real"]


@posix
@writers
def test_names_up_to_the_longest_can_be_written(tmp_path, write):
    longest = os.pathconf(tmp_path, "PC_NAME_MAX")
    write(tmp_path / ("n" * longest))
    write(tmp_path / ("n" * longest))
    with pytest.raises(OSError, match=os.strerror(errno.ENAMETOOLONG)):
        write(tmp_path / ("n" * (longest + 1)))
    assert os.listdir(tmp_path) == ["n" * longest]


@writers
def test_a_folder_that_is_missing_or_a_file_is_named(tmp_path, write):
    (tmp_path / "file").write_bytes(b"")
    for path, error in (
        (tmp_path / "none/x", FileNotFoundError),
        (tmp_path / "file/x", NotADirectoryError),
        (tmp_path, IsADirectoryError),
    ):
        with pytest.raises(error) as caught:
            write(path)
        assert caught.value.filename == str(path)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("path", [None, 1.5, ["a"], object()], ids=lambda one: type(one).__name__)
def test_what_is_no_path_is_refused_by_name(path):
    with pytest.raises(DTypeError, match="path: expected a path, got"):
        write_bytes(path, b"")


@pytest.mark.parametrize(
    ("name", "error"),
    [("", FileNotFoundError), ("new/", IsADirectoryError), ("a\0b", ParameterError)],
)
def test_names_of_no_file_are_refused(tmp_path, monkeypatch, name, error):
    monkeypatch.chdir(tmp_path)
    for write in (index, lambda path: write_bytes(path, b"")):
        with pytest.raises(error):
            write(name)
    assert not os.listdir(tmp_path)


@posix
def test_a_pipe_and_a_device_are_no_index(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(FormatError, match=r"expected a file, got a pipe.*from_bytes"):
            hashret.Index.load(path)


@posix
def test_links_in_a_circle_are_an_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        write_bytes(tmp_path / "a", b"x")
    assert (tmp_path / "a").is_symlink()


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write all")
def test_a_file_that_may_not_be_written_stays(tmp_path):
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(PermissionError):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"


@posix
def test_a_pipe_and_a_device_are_written_to_as_they_are(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_bytes(pipe, b"through")
    reader.join(10)
    assert got == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write_bytes("/dev/null", b"nowhere")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("there", [True, False])
def test_what_ends_early_changes_nothing(tmp_path, error, there):
    path = tmp_path / "x"
    if there:
        path.write_bytes(b"old")

    def half():
        with replacing(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        half()
    assert [name.read_bytes() for name in tmp_path.iterdir()] == [b"old"] * there


@posix
def test_a_disk_that_is_full_changes_nothing(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "x"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            write_bytes(path, b"n" * 8192)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [name.read_bytes() for name in tmp_path.iterdir()] == [b"old"]


@posix
def test_file_and_folder_reach_the_disk_before_and_after_the_name(tmp_path, monkeypatch):
    steps = []
    sync, replace = os.fsync, os.replace

    def note_sync(handle):
        steps.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def note_replace(*paths):
        steps.append("name")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    write_bytes(tmp_path / "x", b"x")
    assert steps == ["file", "name", "folder"]


def test_many_writers_of_one_name_leave_one_whole_file(tmp_path):
    path = tmp_path / "x"
    contents = [bytes([byte]) * 100_000 for byte in range(8)]
    threads = [threading.Thread(target=write_bytes, args=(path, data)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert os.listdir(tmp_path) == ["x"]


# What makes or replaces files by other ways than hashret.files.
ELSEWHERE = {"mkstemp", "NamedTemporaryFile", "replace", "rename", "write_text", "write_bytes"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_files_are_written_in_one_place(path):
    # Removing moves the caller's own files, in ways that never overwrite one.
    if path == PACKAGE / "files.py" or "removing" in path.parts:
        return
    calls = [
        node.func
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    of_os = [f.attr for f in calls if isinstance(f.value, ast.Name) and f.value.id == "os"]
    assert not {"replace", "rename"} & set(of_os)
    # str.replace has two arguments as well, and is found by name only on os.
    assert not (ELSEWHERE - {"replace", "rename"}) & {f.attr for f in calls}
