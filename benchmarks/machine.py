"""What a ratio was measured on."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

import hashret

CPU_INFO = Path("/proc/cpuinfo")
ENGINES = ("numpy", "faiss-cpu", "usearch", "pynear")


def facts() -> dict[str, str]:
    """Describe the processor, the instruction set in use, and the versions."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "instruction set": str(hashret.cpu()["isa"]),
        "python": platform.python_version(),
        "hashret": hashret.__version__,
        **{name: _version(name) for name in ENGINES},
    }


def _processor() -> str:
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
