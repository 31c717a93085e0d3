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


def build_and_run(compiler, emulator, name, sources, tmp_path, level="-O3"):
    if not CSRC.is_dir():
        pytest.skip("needs the engine's sources")
    for tool in [compiler, *emulator[:1]]:
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    if sysconfig.get_platform().startswith("win"):
        pytest.skip("needs a Unix compiler driver")
    program = tmp_path / name
    command = [compiler, "-std=gnu11", level, "-Wall", "-Wextra", "-Werror", f"-I{CSRC}"]
    paths = [HERE / "cross" / f"{name}.c", *(CSRC / source for source in sources)]
    subprocess.run([*command, *map(str, paths), "-o", str(program), "-lm"], check=True)
    done = subprocess.run([*emulator, str(program)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    return done.stdout.split()


def test_kernels_of_this_processor(tmp_path):
    assert build_and_run("cc", [], "kernels", KERNELS, tmp_path) == _native.supported_isas()


def test_neon_under_emulation(tmp_path):
    emulator = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]
    found = build_and_run("aarch64-linux-gnu-gcc", emulator, "kernels", KERNELS, tmp_path)
    assert found == ["neon", "scalar"]


def test_the_planner_takes_the_cheapest_way(tmp_path):
    """With costs given in place of a clock, whose ticks no test can foresee."""
    assert build_and_run("cc", [], "history", ["planner/history.c"], tmp_path, "-O0") == []


def test_heads_find_their_length(tmp_path):
    """Early stopping, with shares of blocks that can be left given in place of codes."""
    sources = [*KERNELS, "scan/heads.c"]
    assert build_and_run("cc", [], "heads", sources, tmp_path, "-O0") == []
