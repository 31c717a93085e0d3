"""``hashret verify`` and what ``hashret info`` tells of a collection."""

from __future__ import annotations

import json
import os

import pytest
from commands import run_here
from photos import write_photo

from hashret.collection import Collection

pytest.importorskip("typer")
pytest.importorskip("rich")

FEW = ("--encoder", "perceptual", "--workers", "1")


def test_what_is_wrong_is_told_with_advice_and_caches_are_repaired(tmp_path):
    for number in range(3):
        write_photo(tmp_path / f"{number}.png", number)
    run_here("index", *FEW, cwd=tmp_path)
    done = run_here("verify", "--content", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "3 files: all agrees\n")
    with Collection.change(tmp_path) as collection:
        collection.catalogue.execute("UPDATE codes SET code = zeroblob(32) WHERE image = 1")
    os.remove(tmp_path / "2.png")
    done = run_here("verify", "--json", cwd=tmp_path)
    assert done.returncode == 1
    *problems, last = map(json.loads, done.stdout.splitlines())
    assert [one["kind"] for one in problems] == ["index", "file"]
    assert problems[1]["path"] == str(tmp_path / "2.png")
    assert all(one["problem"] and one["advice"] for one in problems)
    assert last == {"files": 3, "problems": 2}
    done = run_here("verify", "--repair", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("file: 2.png: cannot be found")
    run_here("index", *FEW, cwd=tmp_path)
    assert run_here("verify", cwd=tmp_path).returncode == 0


def test_info_tells_of_the_collection_here(tmp_path):
    alone = json.loads(run_here("info", "--json", cwd=tmp_path).stdout)
    assert "collection" not in alone
    write_photo(tmp_path / "1.png", 1)
    run_here("index", *FEW, cwd=tmp_path)
    found = json.loads(run_here("info", "--json", cwd=tmp_path).stdout)
    assert found["machine"] == alone["machine"]
    told = found["collection"]
    assert told["images"] == told["files"]["present"] == 1
    assert told["roots"][0]["path"] == str(tmp_path)
    assert told["roots"][0]["reachable"]
    assert told["encoders"][0]["codes"] == 1
    assert sum(told["bytes"].values()) > 0
    assert told["updated"].startswith("20")
    text = run_here("info", cwd=tmp_path).stdout
    assert "perceptual: 1 codes of 256 bits" in text
