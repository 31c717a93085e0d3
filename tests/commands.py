"""Runs of the command, as a user starts it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def run(
    *arguments: str | bytes,
    code: str | None = None,
    cwd: str | os.PathLike[str] | None = None,
    **environment: str,
) -> subprocess.CompletedProcess:
    """Run the command as a user does; with `code`, something of that Python first."""
    start = ["-c", f"{code}; import hashret.__main__ as m; m.main()"] if code else ["-m", "hashret"]
    done = subprocess.run(
        [sys.executable, *start, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "COLUMNS": "200"} | environment,
        errors="surrogateescape",
        check=False,
        timeout=120,
        cwd=cwd,
    )
    done.stdout, done.stderr = ANSI.sub("", done.stdout), ANSI.sub("", done.stderr)
    return done


def run_here(
    *arguments: str, cwd: str | os.PathLike[str] = ".", **environment: str
) -> subprocess.CompletedProcess:
    """Run the command in this process, which is quicker; its answer is as that of `run`."""
    from typer.testing import CliRunner

    from hashret.cli import app

    with contextlib.chdir(cwd):
        done = CliRunner().invoke(
            app, arguments, prog_name="hashret", env={"COLUMNS": "200"} | environment
        )
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def assert_one_line(done: subprocess.CompletedProcess, *parts: str, code: int = 1) -> None:
    assert done.returncode == code
    assert done.stderr.startswith("hashret: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr + done.stdout
    for part in parts:
        assert part in done.stderr


def hide(package: str) -> str:
    """Return Python that makes a package look as if it were not installed."""
    return (
        "import sys, importlib.abc\n"
        "class Hide(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name.split('.')[0] == {package!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name}', name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
        "sys.argv[0] = 'hashret'"
    )
