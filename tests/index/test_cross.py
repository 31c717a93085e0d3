"""Parts of the engine in C programs: kernels, NEON under emulation, history, early stopping."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from hashret import _native

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
KERNELS = [
    "base/status.c",
    "kernels/cpu.c",
    "kernels/dispatch.c",
    "kernels/strips.c",
    *(f"kernels/strips_{i}.c" for i in ("avx2", "neon")),
    *(f"kernels/hamming_{i}.c" for i in ("scalar", "avx2", "avx512", "neon")),
]


def need(*tools):
    if not CSRC.is_dir():
        pytest.skip("needs the engine's sources")
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    if sysconfig.get_platform().startswith("win"):
        pytest.skip("needs a Unix compiler driver")


def flags(level):
    return ["-std=gnu11", level, "-Wall", "-Wextra", "-Werror", f"-I{CSRC}"]


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """The kernels for this processor, which take most of the time, compiled once."""
    need("cc")
    folder = tmp_path_factory.mktemp("objects")
    sources = [CSRC / source for source in KERNELS]
    subprocess.run(["cc", *flags("-O3"), "-c", *map(str, sources)], cwd=folder, check=True)
    return sorted(folder.glob("*.o"))


def build_and_run(name, parts, tmp_path, level="-O0", compiler="cc", emulator=()):
    need(compiler, *emulator[:1])
    program = tmp_path / name
    paths = map(str, [HERE / "cross" / f"{name}.c", *parts])
    subprocess.run([compiler, *flags(level), *paths, "-o", str(program), "-lm"], check=True)
    done = subprocess.run([*emulator, str(program)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    return done.stdout.split()


def test_kernels_of_this_processor(tmp_path, objects):
    assert build_and_run("kernels", objects, tmp_path, "-O3") == _native.supported_isas()


def test_neon_under_emulation(tmp_path):
    emulator = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]
    sources = [CSRC / source for source in KERNELS]
    found = build_and_run("kernels", sources, tmp_path, "-O3", "aarch64-linux-gnu-gcc", emulator)
    assert found == ["neon", "scalar"]


def test_the_planner_takes_the_cheapest_way(tmp_path):
    """With costs given in place of a clock, whose ticks no test can foresee."""
    assert build_and_run("history", [CSRC / "planner/history.c"], tmp_path) == []


def test_heads_find_their_length(tmp_path, objects):
    """Early stopping, with shares of blocks that can be left given in place of codes."""
    assert build_and_run("heads", [*objects, CSRC / "scan/heads.c"], tmp_path) == []
