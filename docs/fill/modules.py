"""The public names of a module, from their docstrings."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import itertools
import re
from dataclasses import is_dataclass
from functools import cache
from types import ModuleType
from typing import Any

__all__ = ["MODULES", "home", "module"]

# The modules that are for callers, those first where a name of several is told.
MODULES = (
    "hashret.errors",
    "hashret.searcher",
    "hashret",
    "hashret.codes",
    "hashret.ranking",
    "hashret.rerank",
    "hashret.types",
    "hashret.index",
    "hashret.pipelines",
    "hashret.bridges",
    "hashret.bridges.pgvector",
    "hashret.bridges.parquet",
    "hashret.bridges.faiss",
    "hashret.bridges.usearch",
    "hashret.bridges.lancedb",
    "hashret.bridges.milvus",
    "hashret.bridges.vespa",
    "hashret.bridges.opensearch",
    "hashret.encoders",
    "hashret.features",
    "hashret.features.pretrained",
    "hashret.features.lite",
    "hashret.deep.losses",
    "hashret.deep",
    "hashret.prism",
    "hashret.methods",
    "hashret.datasets",
    "hashret.evaluation",
    "hashret.evaluation.plots",
    "hashret.evaluation.charts",
    "hashret.evaluation.code_map",
    "hashret.images.reading",
    "hashret.collection",
    "hashret.collection.opening",
    "hashret.collection.updating",
    "hashret.collection.encoders",
    "hashret.collection.images",
    "hashret.collection.queries",
    "hashret.collection.searching",
    "hashret.collection.filters",
    "hashret.collection.showing",
    "hashret.collection.duplicates",
    "hashret.collection.removing",
    "hashret.collection.labels",
    "hashret.collection.exporting",
    "hashret.collection.importing",
    "hashret.collection.matching",
    "hashret.collection.training",
    "hashret.collection.scoring",
    "hashret.collection.summary",
    "hashret.collection.verifying",
    "hashret.collection.watching",
    "hashret.collection.catalogue",
    "hashret.web",
    "hashret.cluster",
    "hashret.cluster.collection",
    "hashret.cluster.encoding",
    "hashret.cluster.replicas",
)


def home(module: str, name: str) -> str:
    """Return the module where a name of a module is told: the first that has the same object."""
    value = getattr(importlib.import_module(module), name)
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return module
    return next((one for one, theirs in _names() if theirs.get(name) is value), module)


def module(name: str) -> str:
    """Return what a module says of itself and of each of its public names."""
    one = importlib.import_module(name)
    lines = [f".. automodule:: {name}", "   :no-members:", ""]
    elsewhere = []
    for public in one.__all__:
        value = getattr(one, public)
        if isinstance(value, ModuleType):
            elsewhere.append(f":mod:`{value.__name__}`")
        elif (told := home(name, public)) != name:
            elsewhere.append(f":{_role(value)}:`{told}.{public}`")
        else:
            lines += [*_directive(name, public, value), ""]
    if elsewhere:
        lines += ["Told elsewhere: " + ", ".join(elsewhere) + "."]
    return "\n".join(["```{eval-rst}", *lines, "```"])


@cache
def _names() -> list[tuple[str, dict[str, Any]]]:
    modules = [importlib.import_module(name) for name in MODULES]
    return [(one.__name__, {name: getattr(one, name) for name in one.__all__}) for one in modules]


def _directive(module: str, name: str, value: Any) -> list[str]:
    full = f"{module}.{name}"
    if isinstance(value, type) and issubclass(value, BaseException):
        return [f".. autoexception:: {full}", "   :show-inheritance:"]
    if inspect.isclass(value):
        # Fields without a word of their own, unless the docstring tells of them.
        fields = is_dataclass(value) or issubclass(value, tuple)
        told = "Attributes\n" in (value.__doc__ or "")
        bare = ["   :undoc-members:"] if fields and not told else []
        bases = [] if value.__bases__ == (object,) else ["   :show-inheritance:"]
        return [f".. autoclass:: {full}", *bases, "   :members:", *bare]
    if inspect.isroutine(value):
        return [f".. autofunction:: {full}"]
    return [f".. py:data:: {name}", "", *(f"   {line}" for line in _told(module, name))]


def _role(value: Any) -> str:
    return "class" if inspect.isclass(value) else "func"


def _told(module: str, name: str) -> list[str]:
    """Return what the source says of a constant, in a comment above it; else its value."""
    lines = inspect.getsource(_source(module, name)).splitlines()
    at = next(n for n, line in enumerate(lines) if re.match(rf"{name}\b.*[^=]=", line))
    above = list(itertools.takewhile(lambda line: line.startswith("# "), reversed(lines[:at])))
    value = repr(getattr(importlib.import_module(module), name))
    short = [f"``{value}``", ""] if len(value) < 60 else []
    return [*short, *(line.removeprefix("# ") for line in reversed(above))]


def _source(module: str, name: str) -> ModuleType:
    """Return the module that a constant of a module stands in."""
    one = importlib.import_module(module)
    for node in ast.parse(inspect.getsource(one)).body:
        if isinstance(node, ast.ImportFrom) and name in {each.name for each in node.names}:
            base = module if hasattr(one, "__path__") else module.rpartition(".")[0]
            return _source(
                importlib.util.resolve_name("." * node.level + (node.module or ""), base), name
            )
    return one
