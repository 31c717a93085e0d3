"""Files through worker processes: what one of them does costs the others nothing."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PIL")
if os.name != "posix":
    pytest.skip("worker processes need POSIX", allow_module_level=True)

from picture_files import encoded
from PIL import Image

from hashret.errors import HashretError, ParameterError
from hashret.features.perceptual import pdq, pdq_within_borders
from hashret.images.reading import Limits, Read, Skipped, process, read_files
from hashret.images.reading.image import read_picture
from hashret.images.reading.protocol import PIPE_BYTES, slots_for, values_of


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    return encoded(Image.fromarray(pixels), "PNG")


def fails_at_one(pixels: np.ndarray) -> tuple[np.ndarray, None]:
    """Fail at the picture of seed 7."""
    if (pixels == np.random.default_rng(7).integers(0, 256, (24, 32, 3), np.uint8)).all():
        raise RuntimeError("seven")
    return np.zeros(1, np.uint8), None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(40):
        (tmp_path / f"{i:02}.png").write_bytes(picture(i))
    return tmp_path


@pytest.fixture
def started(monkeypatch) -> list[subprocess.Popen[bytes]]:
    """The worker processes, as they are started."""
    found = []
    start = process._started

    def noted(*given: Any) -> subprocess.Popen[bytes]:
        found.append(start(*given))
        return found[-1]

    monkeypatch.setattr(process, "_started", noted)
    return found


def files(folder: Path) -> list[tuple[str, bytes]]:
    return [(path.name, os.fsencode(path)) for path in sorted(folder.iterdir())]


def by_token(results: Iterator[Read | Skipped]) -> dict[object, Read | Skipped]:
    listed = list(results)
    found = {result.token: result for result in listed}
    assert len(found) == len(listed), "one result a file"
    return found


def check_read(found: dict[object, Read | Skipped], given: list[tuple[str, bytes]]) -> None:
    for name, path in given:
        result, data = found[name], Path(os.fsdecode(path)).read_bytes()
        assert isinstance(result, Read), result
        assert result.content == hashlib.sha256(data).digest()
        assert (result.size, result.mtime_ns) == (len(data), os.stat(path).st_mtime_ns)
        assert (result.pixels == read_picture(data, 16, 10**6).pixels).all()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_file_comes_back_once(folder, workers):
    given = files(folder)
    check_read(by_token(read_files(given, side=16, workers=workers)), given)


def test_no_files_start_no_process(started):
    assert list(read_files([], side=16)) == []
    assert not started


def test_arguments():
    with pytest.raises(ParameterError, match="side"):
        read_files([], side=0)
    with pytest.raises(ParameterError, match="workers"):
        read_files([], side=1, workers=0)


def test_what_is_no_file_is_told_at_once(folder):
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "dangling.jpg").symlink_to("nowhere")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_bytes(b"no picture")
    with socket.socket(socket.AF_UNIX) as server:
        # The name of a socket may have some hundred bytes only.
        here = os.open(folder, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/socket.jpg")
        os.close(here)
        found = by_token(read_files(files(folder), side=16, workers=1))
    found |= by_token(
        read_files([("gone", b"/gone"), ("nul", b"a\0b"), ("long", b"a" * 9999)], side=9)
    )
    reasons = {name: r.reason for name, r in found.items() if isinstance(r, Skipped)}
    parts = {
        "pipe.jpg": "a named pipe",
        "folder.jpg": "a folder",
        "device.jpg": "a device",
        "socket.jpg": "a socket",
        "dangling.jpg": "a link to what is not there",
        "loop.jpg": "symbolic links",
        "empty.jpg": "it is empty",
        "text.jpg": "not a readable image",
        "gone": "No such file",
        "nul": "null",
        "long": "too long",
    }
    assert reasons.keys() == parts.keys()
    for name, part in parts.items():
        assert part in reasons[name]
    assert found["text.jpg"].content == hashlib.sha256(b"no picture").digest()
    assert found["pipe.jpg"].content is None


def test_names_of_any_bytes(tmp_path):
    names = [b"\xff\xfe.png", b"a\nb.png", b"<b>&.png", b"x" * 250, "ö 漢.png".encode()]
    for i, name in enumerate(names):
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(picture(i))
    given = [(str(name), os.path.join(os.fsencode(tmp_path), name)) for name in names]
    check_read(by_token(read_files(given, side=16, workers=1)), given)


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_costs_one_file(folder, started, kind):
    given = files(folder)
    results = read_files(given, side=16, workers=2)
    first = next(results)
    started[0].send_signal(kind)
    found = by_token(iter([first, *results]))
    skipped = [r for r in found.values() if isinstance(r, Skipped)]
    assert found.keys() == dict(given).keys()
    # None if it was between two files and had no more to do.
    assert len(skipped) <= 1
    assert all(kind.name in r.reason for r in skipped)
    check_read(found, [(n, p) for n, p in given if isinstance(found[n], Read)])


def test_a_worker_that_hangs_costs_one_file(folder, started):
    # More than are read before it is stopped.
    given = [(number, path) for number, (_, path) in enumerate(files(folder) * 20)]
    results = read_files(given, side=16, workers=1, limits=Limits(seconds=0.5))
    first = next(results)
    started[0].send_signal(signal.SIGSTOP)
    before = time.monotonic()
    found = by_token(iter([first, *results]))
    assert time.monotonic() - before < 20
    (skipped,) = (r for r in found.values() if isinstance(r, Skipped))
    assert skipped.reason == "not read within 0.5 s"
    assert found.keys() == dict(given).keys()


def test_a_caller_who_takes_long_is_nobodys_fault(folder):
    found = []
    for result in read_files(files(folder), side=16, workers=2, limits=Limits(seconds=0.3)):
        if len(found) in (0, 5):
            time.sleep(0.7)
        found.append(result)
    assert all(isinstance(result, Read) for result in found)
    assert len(found) == 40


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is limited on Linux")
def test_a_file_that_takes_too_much_memory_costs_itself(folder):
    large = encoded(Image.new("RGB", (7000, 7000)), "PNG", compress_level=1)
    (folder / "20b.png").write_bytes(large)
    found = by_token(read_files(files(folder), side=16, workers=1, limits=Limits(memory=2**27)))
    skipped = found.pop("20b.png")
    assert "needs more than 128 MiB" in skipped.reason
    assert skipped.content == hashlib.sha256(large).digest()
    assert all(isinstance(result, Read) for result in found.values())


def test_pixels_and_bytes_are_limited(folder):
    (folder / "00.png").write_bytes(encoded(Image.new("1", (20_000, 20_000)), "PNG"))
    with (folder / "01.png").open("wb") as sparse:
        sparse.truncate(2**30)
    found = by_token(read_files(files(folder), side=16, limits=Limits(pixels=10**7)))
    assert "20000x20000" in found.pop("00.png").reason
    assert "larger than" in found.pop("01.png").reason
    assert all(isinstance(result, Read) for result in found.values())


def test_a_jpeg_of_a_hundred_megapixels_is_read(tmp_path):
    Image.new("L", (12_000, 9_000)).save(tmp_path / "a.jpg")
    (result,) = read_files(files(tmp_path), side=512)
    assert (result.width, result.height, result.pixels.shape) == (12_000, 9_000, (384, 512, 3))


def test_no_more_is_under_way_than_there_are_slots(folder):
    given, taken, most = files(folder) * 25, 0, 0

    def counted() -> Iterator[tuple[int, bytes]]:
        nonlocal taken
        for i, (_, path) in enumerate(given):
            taken += 1
            yield i, path

    slots = slots_for(16, PIPE_BYTES)
    for done, _ in enumerate(read_files(counted(), side=16, workers=2)):
        most = max(most, taken - done)
    assert taken == 1000
    # What a caller has not taken yet of one round, and what the workers have for the next.
    assert most <= 2 * 2 * slots


@pytest.mark.parametrize("shows", [True, False])
def test_workers_call_functions_with_the_pixels(folder, shows):
    functions = {"whole": pdq, "inner": pdq_within_borders}
    for path in sorted(folder.iterdir())[5:]:
        path.unlink()
    found = list(read_files(files(folder), side=512, shows=shows, functions=functions))
    assert len(found) == 5
    for result in found:
        pixels = read_picture((folder / result.token).read_bytes(), 512, 10**6).pixels
        assert result.pixels.shape == (pixels.shape if shows else (0, 0, 3))
        for name, function in functions.items():
            code, quality = function(pixels)
            assert result.codes[name] == (code.tobytes(), quality)


def test_a_function_that_fails_costs_the_file_it_fails_at(folder):
    functions = {"none": fails_at_one}
    found = by_token(read_files(files(folder), side=64, workers=1, functions=functions))
    skipped = [name for name, result in found.items() if isinstance(result, Skipped)]
    assert skipped == ["07.png"]


def test_closing_ends_the_workers(folder, started):
    results = read_files(files(folder), side=16, workers=2)
    next(results)
    results.close()
    assert started
    assert all(each.poll() is not None for each in started)


def test_an_error_of_the_files_ends_the_workers(folder, started):
    def broken() -> Iterator[tuple[str, bytes]]:
        yield from files(folder)
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        list(read_files(broken(), side=16, workers=2))
    assert all(each.poll() is not None for each in started)


def test_workers_that_do_not_start_are_an_error(folder, monkeypatch):
    monkeypatch.setattr(process, "_START", "raise SystemExit(7) # {path!r} {package}")
    with pytest.raises(HashretError, match=r"do not start.*ended"):
        list(read_files(files(folder), side=16, workers=1))


SOUND = {
    "slot": 1,
    "content": "0" * 64,
    "size": 1,
    "mtime_ns": 1,
    "format": "PNG",
    "width": 1,
    "height": 1,
    "taken": None,
    "shape": [1, 1],
    "codes": {},
}
SKIPPED = {"slot": 1, "content": None, "reason": "none", "picture": True}
FORGED = [
    b"",
    b'"text"',
    b"17",
    b"[]",
    b"{}",
    b"[" * 3000,
    b"[" * 60_000,
    b"\xff",
    b'{"slot": 1}',
    *(
        json.dumps(SOUND | changed).encode()
        for changed in (
            {"slot": True},
            {"content": "0" * 63},
            {"content": None},
            {"size": 2**200},
            {"mtime_ns": 1.5},
            {"mtime_ns": float("nan")},
            {"format": 7},
            {"format": "\ud800"},
            {"width": 0},
            {"height": 2**40},
            {"taken": ["2020"]},
            {"shape": [1, 0]},
            {"shape": [1]},
            {"more": 1},
            {"codes": []},
            {"codes": {"pdq": ["0", 1.0]}},
            {"codes": {"pdq": ["00"]}},
            {"codes": {"pdq": ["00", float("nan")]}},
        )
    ),
    *(
        json.dumps(SKIPPED | changed).encode()
        for changed in ({"reason": None}, {"reason": "x" * 9999}, {"picture": 1}, {"content": 5})
    ),
]
FORGER = """
import os, sys
from hashret.images.reading.protocol import READY, answer, tasks
os.write(1, READY)
for slot, path in tasks(sys.stdin.buffer):
    line = answer(slot, content=None, reason="not forged", picture=True)
    if path.endswith(b"03.png"):
        line = FORGED.replace(b'"slot": 1,', b'"slot": %d,' % slot) + b"\\n" + line
    os.write(1, line)
"""


def forge(monkeypatch, folder: Path, program: str) -> None:
    """Have another program run in place of the worker."""
    path = folder / "forger.py"
    path.write_text(program)
    start = "import runpy, sys; sys.path[:] = {path!r}; '{package}';"
    monkeypatch.setattr(process, "_START", f"{start} runpy.run_path({str(path)!r})")


@pytest.mark.parametrize("forged", FORGED, ids=range(len(FORGED)))
def test_what_is_no_answer_is_refused(forged):
    with pytest.raises(ValueError):  # noqa: PT011 (of JSON, of UTF-8 or ours)
        values_of(forged)


# Each way to be told: no JSON, too deep, too long; values of another kind, slot, shape, function.
TOLD = [
    b"",
    b"[" * 3000,
    b"[" * 60_000,
    *(
        json.dumps(SOUND | changed).encode()
        for changed in (
            {"content": None},
            {"slot": 99},
            {"shape": [9999, 9999]},
            {"codes": {"pdq": ["00", 1.0]}},
        )
    ),
]


@pytest.mark.parametrize("forged", TOLD, ids=range(len(TOLD)))
def test_what_is_no_answer_costs_the_file_that_the_worker_is_at(
    folder, tmp_path_factory, monkeypatch, forged
):
    """Answers before it count, those after it are given by another worker."""
    program = f"FORGED = bytes.fromhex({forged.hex()!r})\n{FORGER}"
    forge(monkeypatch, tmp_path_factory.mktemp("forger"), program)
    found = by_token(read_files(files(folder)[:8], side=16, workers=1))
    reasons = {name: result.reason for name, result in found.items()}
    assert reasons.pop("03.png") == "its decoder wrote among the answers"
    assert set(reasons.values()) == {"not forged"}
    assert len(reasons) == 7


def test_bytes_that_are_no_answer_win_no_time(folder, tmp_path_factory, monkeypatch):
    program = (
        "import os, time\nfrom hashret.images.reading.protocol import READY\nos.write(1, READY)\n"
        "for _ in range(600): os.write(1, b' '); time.sleep(0.1)"
    )
    forge(monkeypatch, tmp_path_factory.mktemp("forger"), program)
    before = time.monotonic()
    (result,) = read_files(files(folder)[:1], side=16, workers=1, limits=Limits(seconds=1))
    assert result.reason == "not read within 1 s"
    assert time.monotonic() - before < 30


def run(code: str, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    path = os.path.dirname(os.path.dirname(os.path.abspath(sys.modules["hashret"].__file__)))
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([path, os.environ["PYTHONPATH"]])},
    )


def test_the_worker_imports_little():
    code = (
        "import sys, hashret.images.reading.worker;"
        "few = {'torch', 'skimage', 'sklearn', 'scipy', 'multiprocessing', 'sqlite3'};"
        "print(sorted(few & set(sys.modules)))"
    )
    assert run(code).communicate()[0] == "[]\n"


def test_neither_the_main_module_nor_the_folder_is_imported(folder, tmp_path_factory):
    script = tmp_path_factory.mktemp("script") / "main.py"
    script.write_text(
        "import os, sys\nfrom hashret.images.reading import read_files\nprint('once')\n"
        "names = [(n, os.fsencode(n)) for n in os.listdir('.') if n.endswith('png')]\n"
        "print(len(list(read_files(names, side=8))))\n"
    )
    for module in ("numpy", "PIL", "json"):
        (folder / f"{module}.py").write_text("raise SystemExit('a module among the photographs')")
    with run("import runpy, sys; runpy.run_path(sys.argv[1])", str(script), cwd=folder) as child:
        assert child.stdout.read() == "once\n40\n"


def test_ctrl_c_ends_the_workers(folder):
    code = (
        "import os, sys, itertools\n"
        "from hashret.images.reading import process, read_files\n"
        "start = process._started\n"
        "def noted(*given):\n"
        "    child = start(*given); print(child.pid, flush=True); return child\n"
        "process._started = noted\n"
        "files = itertools.repeat((0, os.fsencode(sys.argv[1])))\n"
        "try:\n"
        "    for _ in read_files(files, side=8, workers=2): pass\n"
        "except KeyboardInterrupt: pass\n"
    )
    with run(code, str(folder / "00.png")) as child:
        pids = [int(child.stdout.readline()) for _ in range(2)]
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
