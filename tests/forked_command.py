"""`hashret` as a program that starts at once: forked from a process that has its imports done.

A page's commands run in a shell, each in a process of its own with its own folder, environment and
streams, as a reader's do; most of the time of the short ones is spent on imports.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

# What the client is: asks with its streams, and ends as the command did.
_CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    told = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(asked, [len(told).to_bytes(4, "big")], [0, 1, 2])
    asked.sendall(told)
    status = asked.recv(1)
sys.exit(status[0] if status else "hashret: nothing was answered")
"""
_MODULES = ("hashret.__main__", "hashret.cli", "hashret.collection", "hashret.encoders")
_COMMANDS = ("index", "search", "dedup", "undo", "label", "info", "verify", "export", "import_")


@contextmanager
def forked_command(folder: Path):
    """Write a program `hashret` into a folder, which works inside of the block."""
    address = str(folder / "socket")
    program = folder / "hashret"
    program.write_text(_CLIENT.format(python=sys.executable, address=address))
    program.chmod(0o755)
    command = [sys.executable, __file__, address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout.readline() == "ready\n"
            yield
        finally:
            server.terminate()


def _serve(address: str) -> None:
    for name in (*_MODULES, *(f"hashret.cli.{command}" for command in _COMMANDS)):
        importlib.import_module(name)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while True:
            asked, _ = listener.accept()
            # The child of a child does the work, so that its status is known when it has ended.
            if os.fork() == 0:
                listener.close()
                size, streams, *_ = socket.recv_fds(asked, 4, 3)
                told = asked.makefile("rb").read(int.from_bytes(size, "big"))
                if (worker := os.fork()) == 0:
                    asked.close()
                    _work(*json.loads(told), streams)
                    return
                status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
                asked.sendall(bytes([status % 256]))
                os._exit(0)
            asked.close()
            while _ended():
                pass


def _ended() -> bool:
    """Take the status of a child that has ended, if there is one."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] > 0
    except ChildProcessError:
        return False


def _work(arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]):
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = os.fdopen(0, encoding="utf-8")
    sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    importlib.import_module("hashret.__main__").main()


if __name__ == "__main__":
    _serve(sys.argv[1])
