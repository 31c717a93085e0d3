"""A catalogue with files to remove, and what is on the disk whatever the catalogue says."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from collection_pictures import content_of, encoders, read

from hashret.collection.catalogue import add_root, roots_of, write_catalogue
from hashret.collection.removing import Copy, Duplicate
from hashret.collection.updating import update

OLD_NS = 10**18


def write(path: Path, data: bytes, mtime_ns: int = OLD_NS) -> Path:
    """Write a file that is too old for an update to doubt."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def fill(store: Path, *roots: Path) -> None:
    """Make a catalogue of these folders, up to date."""
    with write_catalogue(str(store)) as catalogue:
        for root in roots:
            add_root(catalogue, str(root))
        update(catalogue, read, encoders())


def copy_of(catalogue, path: Path, data: bytes | None = None) -> Copy:
    """A file, of the innermost root that has it; with the bytes it should hold."""
    name = os.fsencode(path)
    root = max(
        (r for r in roots_of(catalogue) if name.startswith(r.path + b"/")),
        key=lambda r: len(r.path),
    )
    return Copy(root.id, name, content_of(path.read_bytes() if data is None else data))


def pairs(catalogue, keeper: Path, *members: Path) -> list[Duplicate]:
    return [Duplicate(copy_of(catalogue, keeper), copy_of(catalogue, one)) for one in members]


def contents(*folders: Path) -> Counter[bytes]:
    """Every content that lies below some folders, and how often."""
    found: Counter[bytes] = Counter()
    for folder in folders:
        for above, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(above, name)
                if not os.path.islink(path) and "sqlite" not in name and name != "writer.lock":
                    with open(path, "rb") as file:
                        found[content_of(file.read())] += 1
    return found


def files_in(folder: Path) -> dict[str, bytes]:
    """The files of a root that a person sees."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".hashret" not in path.parts
    }


def assert_settled(store: Path) -> None:
    """The catalogue agrees with the files: an update has nothing to do, and reads nothing."""
    given = encoders()
    with write_catalogue(str(store)) as catalogue:
        assert catalogue.check() == []
        report = update(catalogue, read, given)
        (open_ones,) = catalogue.execute(
            "SELECT count(*) FROM operations WHERE state IN ('planned', 'undoing')"
        ).fetchone()
    assert open_ones == 0
    assert report.read == report.encoded == report.hashed == 0
    for paths in (report.new, report.changed, report.renamed, report.back, report.missing):
        assert paths.count == 0, paths.listed


@contextmanager
def mounted(path, size="256k"):
    """A small file system of its own, if this process may mount one."""
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)]
    if os.name == "nt" or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)
