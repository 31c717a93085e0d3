"""Fuzz the reader of index files: ``python -m fuzz.index_file --minutes 60 --folder F``, in tests/.

Builds the engine with clang, libFuzzer and sanitizers, writes a corpus of small index files, and
runs ``index_file.c`` on changes of them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from . import corpus

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
FLAGS = (
    *("-std=gnu11", "-g", "-Wall", "-Wextra", f"-I{CSRC}"),
    *("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined"),
    f"-fsanitize-coverage-ignorelist={HERE / 'uncovered.txt'}",
)
# A file of 2 KiB, and every part of one has been seen; bytes, seconds and MiB that one may cost.
LIMITS = ("-max_len=2048", "-timeout=20", "-malloc_limit_mb=256", "-rss_limit_mb=1024")


def clang() -> str | None:
    """Return the name of a clang that has libFuzzer, if there is one."""
    for name in ("clang", *(f"clang-{version}" for version in range(22, 12, -1))):
        if shutil.which(name) is None:
            continue
        asked = [name, "-print-file-name=libclang_rt.fuzzer-x86_64.a"]
        there = subprocess.run(asked, capture_output=True, text=True, check=False)
        if Path(there.stdout.strip()).is_absolute():
            return name
    return None


def build(compiler: str, folder: Path, optimize: bool = True) -> Path:
    """Build the target, and return its path; not optimized it is built in half the time."""
    program = folder / "index_file"
    sources = [HERE / "index_file.c", *sorted(CSRC.glob("*/*.c"))]
    flags = [*FLAGS, "-O1" if optimize else "-O0"]
    subprocess.run([compiler, *flags, *map(str, sources), "-lm", "-o", str(program)], check=True)
    return program


def run(program: Path, folder: Path, seconds: float, seed: int = 0) -> None:
    """Run the target for some time; what it finds is left in the folder.

    Raises
    ------
    subprocess.CalledProcessError
        If it found something.
    """
    seeds, found = folder / "seeds", folder / "corpus"
    found.mkdir(exist_ok=True)
    corpus.write(seeds)
    limits = [*LIMITS, f"-max_total_time={seconds:.0f}", f"-seed={seed}", "-entropic=0"]
    command = [
        program,
        found,
        seeds,
        *limits,
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    # By a shell between: the system counts the most memory of a process from before it was another
    # program on, and would take that of this one, which may be more than the limit.
    subprocess.run(["sh", "-c", '"$@"; exit $?', "sh", *map(str, command)], check=True)


def main() -> None:
    """Build and run the target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="0: another one every time")
    parser.add_argument("--folder", type=Path, required=True, help="for what it makes")
    given = parser.parse_args()
    compiler = clang()
    if compiler is None:
        sys.exit("needs clang with libFuzzer")
    given.folder.mkdir(parents=True, exist_ok=True)
    program = build(compiler, given.folder)
    run(program, given.folder, 60 * given.minutes, given.seed)


if __name__ == "__main__":
    main()
