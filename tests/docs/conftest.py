"""The manual, built once; and the folder that its examples run in."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="session")
def docs():
    """The pages as they are read where the manual is not built."""
    if not (DOCS / "conf.py").exists():
        pytest.skip("docs/ is not beside the tests")
    return DOCS


@pytest.fixture(scope="session")
def manual(docs, tmp_path_factory):
    """The folder of the built manual; a warning is an error."""
    # CI builds the manual nowhere else.
    need = importlib.import_module if os.environ.get("CI") else pytest.importorskip
    for package in ("sphinx", "myst_parser", "furo", "sphinx_copybutton", "torch", "fastapi"):
        need(package)
    out = tmp_path_factory.mktemp("manual")
    # It keeps nearly all that it makes: looking for garbage takes a third of its time.
    start = (
        "import gc, sphinx.cmd.build as build; gc.set_threshold(100_000, 50); exit(build.main())"
    )
    command = [sys.executable, "-c", start, "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(out / "read"), str(docs), str(out / "html")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out / "html"


@pytest.fixture(scope="session")
def photographs(docs, tmp_path_factory):
    """A folder with `photos`, which are indexed; to be copied."""
    pytest.importorskip("skimage")
    pytest.importorskip("pathspec")
    from commands import run
    from manual_photographs import make

    home = make(tmp_path_factory.mktemp("photographs"))
    # One process, so that images have the same ids in each run.
    done = run("index", "-q", "--encoder", "perceptual", "--workers", "1", cwd=home / "photos")
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def home(photographs, tmp_path):
    """The same, for one test; `hashret` and `python3` are those of the tests."""
    shutil.copytree(photographs, tmp_path / "home", symlinks=True)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, words in (("hashret", "-m hashret"), ("python3", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        (programs / name).chmod(0o755)
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", path)
        patch.chdir(tmp_path / "home")
        yield tmp_path / "home"
