"""``hashret serve``: it says where it is, and what it refuses is one line."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from commands import assert_one_line, hide, run, run_here

pytest.importorskip("typer")
pytest.importorskip("rich")
pytest.importorskip("web_site")

from web_site import fill


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("photos"))


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
def test_it_serves_until_it_is_interrupted(folder, tmp_path):
    token = tmp_path / "token"
    token.write_text("a token of some length\n")
    command = [sys.executable, "-m", "hashret", "serve", "--port", "0", "--token-file", str(token)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, **pipes) as process:
        url = process.stdout.readline().split()[0]
        with urllib.request.urlopen(f"{url}health", timeout=20) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(f"{url}api/info", timeout=20)
        refused.value.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130)
        assert "Traceback" not in process.stderr.read()


def test_the_demo_ends_with_how_the_page_is_opened(folder, tmp_path):
    from hashret.cli.demo import where_next
    from hashret.experiments.demo import Tour

    page = tmp_path / "a page"
    tour = Tour(folder, 11, 3, (page,), page, page, page)
    name, *arguments = shlex.split(where_next(tour).splitlines()[-1])
    assert (name, arguments[0]) == ("hashret", "serve")
    command = [sys.executable, "-m", "hashret", *arguments, "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[0]
        with urllib.request.urlopen(f"{url}api/info", timeout=20) as answer:
            assert json.load(answer)["images"] == 11
        process.terminate()


def test_what_cannot_be_done_is_one_line(folder, tmp_path):
    serve = ("serve", "--port", "0")
    assert_one_line(run_here(*serve, cwd=tmp_path), "no collection here")
    assert_one_line(
        run_here(*serve, "--host", "0.0.0.0", cwd=folder), "token: expected one", code=2
    )
    assert_one_line(run_here(*serve, "--token", "short", cwd=folder), "token: expected 16", code=2)
    assert_one_line(run_here(*serve, "--max-upload", "much", cwd=folder), "max-upload", code=2)
    elsewhere = (*serve, "--host", "192.0.2.1", "--token", "a token of some length")
    assert_one_line(run(*elsewhere, cwd=folder), "192.0.2.1:0: cannot listen there")
    assert_one_line(run_here(*serve, "--token-file", "none", cwd=folder), "none")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_one_line(run_here("serve", "--port", port, cwd=folder), "--port takes another")


def test_a_missing_extra_is_named(folder):
    assert_one_line(run("serve", code=hide("fastapi"), cwd=folder), "hashret[serve]")
