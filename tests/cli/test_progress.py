"""The line that tells how far a command is, on a terminal and elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty")

CODE = """
import time
from hashret.cli.progress import Progress
with Progress(True, "Starting") as progress:
    progress.step("Reading images", 1, 40)
    time.sleep(0.6)
    progress.step("Learning", 3, 30)
    time.sleep(0.6)
"""


def test_steps_follow_each_other_on_a_terminal():
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
        subprocess.run([sys.executable, "-c", CODE], stderr=theirs, check=True, env=environment)
        os.close(theirs)
        seen = terminal.read(100_000).decode()
    assert "1 of 40" in seen
    assert "3 of 30" in seen.rsplit("Learning", 1)[1]


def test_nothing_elsewhere():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True)
    assert done.stdout + done.stderr == b""
