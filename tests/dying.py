"""A command that is killed some time after it has opened the catalogue."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from pathlib import Path

from commands import run


def dying(seconds: float, *arguments: str, cwd: Path) -> float | None:
    """Run a command, killed so many seconds after it opens a catalogue.

    Returns
    -------
    seconds : float or None
        From there to its end; None if it was killed before.
    """
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
        f"import dying; dying.die_after({seconds}); sys.argv[0] = 'hashret'"
    )
    done = run(*arguments, code=code, cwd=cwd)
    if done.returncode == -signal.SIGALRM:
        return None
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return float(done.stderr.splitlines()[-1])


def die_after(seconds: float) -> None:
    """Have the system end this process, which hears nothing of it, as by SIGKILL."""
    begun: list[float] = []

    def begin(event: str, arguments: object) -> None:
        if event == "sqlite3.connect" and not begun:
            begun.append(time.monotonic())
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))

    sys.addaudithook(begin)
    atexit.register(lambda: os.write(2, f"\n{time.monotonic() - begun[0]}\n".encode()))
