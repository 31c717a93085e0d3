"""``hashret info``: what is installed, and what the engine uses."""

from __future__ import annotations

import typer


def info() -> None:
    """Print versions, the instruction set in use, and what is installed."""
    from ..experiments.info import describe

    facts = describe()
    width = max(len(name) for name, _ in facts)
    for name, fact in facts:
        typer.echo(f"{name:<{width}}  {fact}")
