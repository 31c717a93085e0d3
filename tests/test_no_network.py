"""Tests reach no other machine: neither they nor the Python processes that they start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request

import pytest
from guard import no_network as guard_module

# Where this is a process that the tests have started, what that did first counts.
no_network = sys.modules.get("no_network") or guard_module

# Of a block that is for documentation and leads nowhere.
ELSEWHERE = "192.0.2.1"


@pytest.fixture
def refused():
    """What was refused, which is no failure here."""
    yield no_network.refused
    no_network.refused.clear()


@pytest.mark.parametrize("host", [ELSEWHERE, "0.0.0.0", "", "2001:db8::1"])
@pytest.mark.parametrize("way", ["connect", "connect_ex", "bind"])
def test_addresses_of_others_are_refused(host, way, refused):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as out, pytest.raises(no_network.NetworkError, match="not this"):
        getattr(out, way)((host, 9))
    assert len(refused) == 1


def test_datagrams_and_names_are_refused(refused):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        with pytest.raises(no_network.NetworkError):
            out.sendto(b"x", (ELSEWHERE, 9))
        with pytest.raises(no_network.NetworkError):
            out.sendmsg([b"x"], [], 0, (ELSEWHERE, 9))
    for look in (socket.gethostbyname, socket.gethostbyaddr, lambda n: socket.getaddrinfo(n, 9)):
        with pytest.raises(no_network.NetworkError):
            look("example.org")
    with pytest.raises(OSError, match="not this machine"):
        urllib.request.urlopen("http://example.org/", timeout=1)
    assert len(refused) == 6


def test_loopback_is_open():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as out:
        out.connect(("localhost", server.getsockname()[1]))
        out.sendall(b"hello")
        with server.accept()[0] as answer:
            assert answer.recv(5) == b"hello"
    for end in socket.socketpair():
        end.close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="has no sockets in the file system")
def test_sockets_in_the_file_system_are_open(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind("here")
        server.listen()
        client.connect("here")
    assert os.path.exists("here")


@pytest.mark.parametrize("options", [[], ["-P"], ["-s"]])
def test_python_processes_are_refused_too(options):
    code = f"import socket; socket.create_connection(({ELSEWHERE!r}, 9), timeout=5)"
    command = [sys.executable, *options, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "NetworkError" in done.stderr


def test_the_workers_that_read_images_are_refused_too(tmp_path, monkeypatch):
    process = pytest.importorskip("hashret.images.reading.process")
    reach = (
        "import socket, os; os.write(1, b'{{\"ready\": true}}\\n')\n"
        f"try: socket.create_connection(({ELSEWHERE!r}, 9), timeout=5)\n"
        "except PermissionError: raise SystemExit(7)\n"
        "# {path!r} {package}"
    )
    monkeypatch.setattr(process, "_START", reach)
    from hashret.images.reading import read_files

    (result,) = read_files([("a", os.fsencode(tmp_path / "a"))], side=8, workers=1)
    assert "status 7" in result.reason
