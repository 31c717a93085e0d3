"""What is installed and what runs: the facts a bug report needs."""

from __future__ import annotations

import platform
from importlib import metadata

import hashret

__all__ = ["describe"]

# Distribution, and the extra of hashret that brings it.
OPTIONAL = (
    ("scikit-image", "images"),
    ("scikit-learn", "images"),
    ("pillow", "images"),
    ("safetensors", "images"),
    ("torch", "torch"),
    ("typer", "cli"),
    ("rich", "cli"),
    ("matplotlib", "plot"),
    ("faiss-cpu", "bench"),
    ("usearch", "bench"),
    ("pynear", "bench"),
)


def describe() -> list[tuple[str, str]]:
    """Return names and facts: versions, machine, instruction set, optional packages.

    Nothing optional is imported: versions come from the installed metadata.
    """
    facts = [
        ("hashret", hashret.__version__),
        ("python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("system", f"{platform.system()} {platform.machine()}"),
        *((f"engine {name}", _words(value)) for name, value in hashret.cpu().items()),
        ("numpy", metadata.version("numpy")),
    ]
    return facts + [(name, _installed(name, extra)) for name, extra in OPTIONAL]


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _installed(name: str, extra: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"not installed: pip install 'hashret[{extra}]'"
