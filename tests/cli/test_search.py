"""``hashret search``: what it prints, in every form, and how it ends."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys

import pytest
from commands import assert_one_line, run, run_here
from photos import write_photo
from PIL import Image

pytest.importorskip("typer")
pytest.importorskip("rich")

FEW = ("--encoder", "perceptual", "--workers", "1")
ODD = b"[red]\xff\n\x1b[31m.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for number in range(4):
        write_photo(root / f"{number}.png", number)
    write_photo(os.fsencode(root) + b"/" + ODD, 4)
    write_photo(root / "gone.png", 5)
    assert run_here("index", *FEW, cwd=root).returncode == 0
    os.remove(root / "gone.png")
    assert run_here("index", *FEW, cwd=root).returncode == 3
    return root


def rows(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_json_is_an_object_a_query(folder, tmp_path):
    outside = tmp_path / "copy.jpg"
    outside.write_bytes((folder / "1.png").read_bytes())
    done = run_here("search", str(outside), "2.png", "-k", "3", "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = rows(done)
    assert first["query"] == str(outside)
    assert first["encoder"] == "perceptual"
    assert len(first["results"]) == len(second["results"]) == 3
    best = first["results"][0]
    assert best == {"id": best["id"], "path": f"{folder}/1.png", "distance": 0, "same": True}
    assert all("same" not in one for one in first["results"][1:])
    distances = [one["distance"] for one in first["results"]]
    assert distances == sorted(distances)
    (again,) = rows(run_here("search", "--id", str(best["id"]), "-k", "3", "--json", cwd=folder))
    assert again == {**first, "query": best["id"]}


def test_another_file_of_the_querys_bytes_is_not_called_the_query(folder, tmp_path):
    outside = tmp_path / "copy.jpg"
    outside.write_bytes((folder / "1.png").read_bytes())
    assert "1.png  (equal to the query)" in run_here("search", str(outside), cwd=folder).stdout
    assert "1.png  (the query itself)" in run_here("search", "1.png", cwd=folder).stdout


def test_missing_images_are_left_out_unless_they_are_asked_for(folder):
    (found,) = rows(run_here("search", "1.png", "--json", cwd=folder))
    assert len(found["results"]) == 5
    (found,) = rows(run_here("search", "1.png", "--json", "--missing", cwd=folder))
    assert [one["path"] for one in found["results"] if one.get("missing")] == [f"{folder}/gone.png"]


def test_within_a_radius_and_among_some(folder):
    (found,) = rows(run_here("search", "1.png", "--json", "--radius", "0", cwd=folder))
    assert len(found["results"]) == 1
    (found,) = rows(run_here("search", "1.png", "--json", "--radius", "256", cwd=folder))
    assert len(found["results"]) == 5
    where = "name in (2.png, 3.png, none) and format = png"
    (found,) = rows(run_here("search", "1.png", "--json", "--where", where, cwd=folder))
    assert {os.path.basename(one["path"]) for one in found["results"]} == {"2.png", "3.png"}
    (found,) = rows(run_here("search", "1.png", "--json", "--where", "width > 9999", cwd=folder))
    assert found["results"] == []


def test_what_cannot_be_read_is_a_row_and_ends_with_3(folder):
    done = run_here("search", "none.png", "1.png", "--json", cwd=folder)
    assert done.returncode == 3
    bad, good = rows(done)
    assert "reason" in bad
    assert bad["results"] == []
    assert good["results"]
    assert run_here("search", "none.png", "--skips-ok", cwd=folder).returncode == 0
    done = run_here("search", "--id", "99", cwd=folder)
    assert done.returncode == 3
    assert "image 99: no image of the collection has this id" in done.stdout


def test_names_in_every_form(folder):
    where = ("--where", "name = '?red*'", "--radius", "256")
    done = run_here("search", "1.png", *where, cwd=folder)
    assert r"[red]\xff\n\x1b[31m.png" in done.stdout
    path = os.fsencode(folder) + b"/" + ODD
    command = [sys.executable, "-m", "hashret", "search", "1.png", *where]
    raw = {
        option: subprocess.run([*command, option], cwd=folder, stdout=subprocess.PIPE, check=True)
        for option in ("--paths", "--print0", "--json")
    }
    assert raw["--paths"].stdout == path + b"\n"
    assert raw["--print0"].stdout == path + b"\0"
    (result,) = json.loads(raw["--json"].stdout)["results"]
    assert result["path"] == path.decode(errors="replace")
    assert base64.b64decode(result["path_bytes"]) == path


def test_page_and_sheet(folder, tmp_path):
    page, sheet = tmp_path / "a.html", tmp_path / "a.png"
    done = run_here("search", "1.png", "--html", str(page), "--png", str(sheet), cwd=folder)
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") == 6
    assert r"[red]\xff\n\x1b[31m.png" in text
    # Nothing is fetched from anywhere, and nothing runs.
    assert not re.search(r"<script|https?://|<link", text)
    with Image.open(sheet) as image:
        assert image.width > 1000


def test_a_closed_pipe_is_silent(folder):
    with subprocess.Popen(
        [sys.executable, "-m", "hashret", "search", "--id", "1", "--id", "2"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


def test_what_cannot_be_done_is_one_line(folder, tmp_path):
    search = ("search", "1.png")
    assert_one_line(run_here("search", cwd=folder), "expected an image", code=2)
    assert_one_line(run_here(*search, "--json", "--paths", cwd=folder), "expected one", code=2)
    where = run_here(*search, "--where", "widht > 3", cwd=folder)
    assert_one_line(where, "width, perhaps", "'widht' at character 1", code=2)
    text = run_here("search", "--text", "a cat", cwd=folder)
    assert_one_line(text, "knows images only", code=2)
    assert_one_line(run_here(*search, "--rerank", cwd=folder), "nothing finer than its codes")
    assert_one_line(run_here(*search, "--encoder", "none", cwd=folder), "of: perceptual")
    assert_one_line(run_here(*search, cwd=tmp_path), "no collection here", "hashret index")
    store = ("--store", str(tmp_path))
    assert_one_line(run_here(*search, *store, cwd=folder), "no collection there")
    assert run_here(*search, "-k", "0", cwd=folder).returncode == 2


def test_searching_by_id_loads_no_decoder(folder):
    loaded = "{'torch', 'PIL', 'rich.console', 'skimage'} & set(sys.modules)"
    code = f"import sys, atexit; atexit.register(lambda: print({loaded}))"
    done = run("search", "--id", "1", code=code, cwd=folder)
    assert done.stdout.endswith("\nset()\n")


# What a search by id needs of the package, and of its collections and commands.
NEEDED = {
    "hashret": "__main__ _native checks cli codes collection errors extras files index pipelines "
    "ranking rerank searcher types",
    "hashret.collection": "catalogue collection images indexes opening queries searching settings "
    "store",
    "hashret.cli": "app options output search",
}


def test_a_search_by_id_imports_what_it_needs_and_no_more(folder):
    """It takes less time than what makes codes, or the other commands, take to be imported."""
    code = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    done = run("search", "--id", "1", "--paths", code=code, cwd=folder)
    assert done.returncode == 0
    imported = done.stderr.split()
    for package, needed in NEEDED.items():
        start = f"{package}."
        found = {name.removeprefix(start).split(".")[0] for name in imported if start in name}
        assert found <= set(needed.split()), package
    assert not {"PIL", "onnxruntime", "pathspec", "scipy", "sklearn"} & set(imported)
