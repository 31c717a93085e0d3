"""The kernels as a C program: on this processor, and NEON under emulation."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from hashret import _native

HERE = Path(__file__).parent
CSRC = HERE.parent / "csrc"
SOURCES = [
    "status.c",
    "cpu.c",
    "dispatch.c",
    *(f"kernels/hamming_{i}.c" for i in ("scalar", "avx2", "avx512", "neon")),
]


def build_and_run(compiler, emulator, tmp_path):
    if not CSRC.is_dir():
        pytest.skip("needs the engine's sources")
    for tool in [compiler, *emulator[:1]]:
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    program = tmp_path / "kernels"
    command = [compiler, "-std=gnu11", "-O3", "-Wall", "-Wextra", "-Werror", f"-I{CSRC}"]
    sources = [HERE / "cross" / "kernels.c", *(CSRC / source for source in SOURCES)]
    subprocess.run([*command, *map(str, sources), "-o", str(program)], check=True)
    done = subprocess.run([*emulator, str(program)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    return done.stdout.split()


def test_kernels_of_this_processor(tmp_path):
    if sysconfig.get_platform().startswith("win"):
        pytest.skip("needs a Unix compiler driver")
    assert build_and_run("cc", [], tmp_path) == _native.supported_isas()


def test_neon_under_emulation(tmp_path):
    emulator = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]
    assert build_and_run("aarch64-linux-gnu-gcc", emulator, tmp_path) == ["neon", "scalar"]
