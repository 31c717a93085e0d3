"""Long work in a process of its own: its memory and its CPU are not those of the requests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["Job"]

_START = "import sys; sys.path[:] = {path!r}; from hashret.web.work import main; main()"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# Seconds in which it ends when it is told to.
_PATIENCE = 5


class Job:
    """A process that does one kind of :data:`.work.KINDS`, and ends with this one.

    Parameters
    ----------
    kind : str
    store : str
        Of the collection.
    argument : str
        Where the result goes, or what else the kind takes.
    """

    def __init__(self, kind: str, store: str, argument: str) -> None:
        code = _START.format(path=_import_path())
        # Its input is never written to: it ends when we do, however that comes.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, kind, store, argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | _ONE_THREAD,
            process_group=0,
        )

    @property
    def status(self) -> int | None:
        """How it ended, 0 if well; None while it runs."""
        status = self._process.poll()
        if status is not None:
            self._close()
        return status

    def end(self) -> None:
        """End it, done or not."""
        self._close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()


def _import_path() -> list[str]:
    """Return where we import from; never the current folder, which may be one of photographs."""
    home = str(Path(__file__).resolve().parents[2])
    path = [entry for entry in sys.path if os.path.isabs(entry)]
    return path if home in path else [*path, home]
