"""The command: what it answers, what it says when something is missing, and how it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import ANSI, assert_one_line, hide, run, run_here

import hashret

pytest.importorskip("typer")
pytest.importorskip("rich")


def test_version():
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"hashret {hashret.__version__}\n")


def test_help_names_the_commands():
    done = run("--help")
    assert done.returncode == 0
    for command in commands():
        assert re.search(rf"\b{command}\b", done.stdout)


def test_help_has_whole_sentences_and_examples_below_each_other():
    done = run("--help", COLUMNS="80")
    assert "..." not in done.stdout.split("Commands:")[1]
    assert "hashret index\n    hashret search cat.jpg\n" in done.stdout
    done = run_here("undo", "--help")
    assert "Examples:\n    hashret undo\n    hashret undo --list\n" in done.stdout
    assert "hashret undo [OPTIONS] [BATCH]\n" in done.stdout


def commands():
    """Name every command, a group once."""
    import typer

    from hashret.cli import app

    return list(typer.main.get_command(app).commands)


def test_every_command_is_tested_and_has_a_place_in_readme():
    here, readme = Path(__file__).parent, Path(__file__).parents[2] / "README.md"
    tests = "".join(path.read_text(encoding="utf-8") for path in here.glob("test_*.py"))
    table = readme.read_text(encoding="utf-8") if readme.exists() else None
    for command in commands():
        assert f'"{command}"' in tests, f"tests/cli has none of {command}"
        assert table is None or re.search(rf"`(hashret )?{command}`", table), command


def test_help_loads_nothing_that_only_commands_need():
    loaded = "{'hashret.experiments', 'hashret.deep', 'torch', 'sklearn', 'PIL'} & set(sys.modules)"
    done = run("--help", code=f"import sys, atexit; atexit.register(lambda: print({loaded}))")
    assert done.stdout.endswith("\nset()\n")


def test_an_unknown_command_is_a_usage_error():
    done = run("dance")
    assert done.returncode == 2
    assert "dance" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("package", "extra"), [("matplotlib", "plot"), ("torch", "torch"), ("typer", "cli")]
)
def test_a_missing_extra_is_one_line(tmp_path, package, extra):
    done = run("demo", "--out", str(tmp_path / "x"), code=hide(package))
    assert_one_line(done, package, f"pip install 'hashret[{extra}]'")


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ on Windows")
def test_ctrl_c_ends_with_130_and_one_line(tmp_path):
    pytest.importorskip("torch")
    process = subprocess.Popen(
        [sys.executable, "-m", "hashret", "demo", "--out", str(tmp_path / "x")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # The folder is made when the work begins.
    deadline = time.monotonic() + 60
    while not (tmp_path / "x").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert ANSI.sub("", errors).rstrip().splitlines()[-1] == "hashret: interrupted"
    assert list((tmp_path / "x").iterdir()) == []
