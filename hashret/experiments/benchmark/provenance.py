"""Where the figures of a row come from: which code, when, and on what machine."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import date
from pathlib import Path

from ... import cpu
from ...extras import import_extra
from ...index.cores import available_cores
from .rows import Row

__all__ = ["commit", "hardware", "provenance"]


def provenance(device: str | None) -> Row:
    """Return the fields ``threads``, ``hardware``, ``commit`` and ``date``.

    Parameters
    ----------
    device : str or None
        Where a network was trained.
    """
    return {
        "threads": _threads(),
        "hardware": hardware(device),
        "commit": commit(),
        "date": date.today().isoformat(),
    }


def _threads() -> int:
    """Threads that linear algebra and networks may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() else available_cores()


def hardware(device: str | None = None) -> str:
    """Return processor, instruction set of the engine and, for a GPU, its name."""
    words = [_processor(), str(cpu()["isa"])]
    if device is not None and device.startswith("cuda"):
        words.append(import_extra("torch", "torch").cuda.get_device_name(device))
    return ", ".join(words)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    names = [line.split(":")[1].strip() for line in text.splitlines() if "model name" in line]
    return f"{len(names)} x {names[0]}" if names else platform.processor() or platform.machine()


def commit() -> str | None:
    """Return the commit of this code, with ``-dirty`` if it was changed since; else None.

    None where this file is not one that git keeps, as in an installed package.
    """
    here = Path(__file__)
    tracked = _git(here.parent, "ls-files", "--error-unmatch", here.name)
    return tracked and _git(here.parent, "describe", "--always", "--dirty", "--abbrev=12")


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
