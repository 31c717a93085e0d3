"""The examples of the manual's pages run, as a reader types them."""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
_SHELL = re.compile(r"(<!-- not run: [^\n]+ -->\n)?^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Pages whose commands take hours, made by scripts: their rows are tested by themselves.
_MEASURED = {
    "results.md",
    "fashion-mnist.md",
    "benchmarks.md",
    "benchmarks-zen4.md",
    "benchmarks-avx2.md",
    "planner.md",
}
# What the examples of a page need beside the package.
_NEEDS = {
    "how-to/onnx.md": ("onnxruntime", "torch", "onnxscript"),
    "how-to/bridges.md": ("pyarrow",),
    "how-to/coming-from.md": ("faiss",),
}


def name_of(page):
    return page.relative_to(DOCS).as_posix()


def commands(page):
    """Return what is to be run of a page, from top to bottom in one shell."""
    found = _SHELL.findall(page.read_text(encoding="utf-8"))
    return [text for left_out, text in found if not left_out]


def examples(page):
    return _PYTHON.findall(page.read_text(encoding="utf-8"))


def require(page):
    for package in _NEEDS.get(name_of(page), ()):
        pytest.importorskip(package)


@pytest.mark.skipif(sys.platform != "linux", reason="they take GNU's programs")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if commands(page) and page.name not in _MEASURED],
    ids=name_of,
)
def test_commands(page, home):
    require(page)
    script = "\n".join(["set -euo pipefail", *commands(page)])
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "120", "PS4": "$ "},
        timeout=600,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=name_of)
def test_python(page, home):
    require(page)
    parser = doctest.DocTestParser()
    test = parser.get_doctest("\n".join(examples(page)), {}, page.name, str(page), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test)
    assert runner.summarize().failed == 0, "see the captured output"


JSON = {
    "index": ["index"],
    "search": ["search", "cat.jpg"],
    "dedup": ["dedup"],
    "undo": ["undo"],
    "label": ["label", "--folders", "--skips-ok"],
    "export": ["export", "codes.npy"],
    "verify": ["verify"],
    "info": ["info"],
    "eval": ["eval", "--label", "label"],
}


def documented(docs):
    """Return the keys that the page names, by command."""
    text = (docs / "reference" / "json.md").read_text(encoding="utf-8")
    sections = re.split(r"^## (\w+)$", text, flags=re.MULTILINE)
    return {
        command: set(re.findall(r"`([\w.\[\]]+)`", section))
        for command, section in zip(sections[1::2], sections[2::2], strict=True)
    }


def keys(value, within=""):
    """Yield the keys of an object, those inside as the page writes them."""
    for key, inner in value.items():
        yield within + key
        many = isinstance(inner, list) and inner and isinstance(inner[0], dict)
        if many and within + key in ("results", "members"):
            yield from keys(inner[0], f"{within}{key}[].")
        if key == "collection":
            yield from keys(inner, "collection.")


def test_json_lines_have_the_keys_that_are_told(docs, home):
    from commands import run_here

    told = documented(docs)
    for command, words in JSON.items():
        lines = run_here(*words, "--json", cwd=home / "photos").stdout.splitlines()
        assert lines, command
        for line in lines:
            assert set(keys(json.loads(line))) <= told[command], command
