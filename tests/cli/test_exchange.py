"""The commands that label, export, import and match, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from collection_photos import photos, write
from commands import run_here

pytest.importorskip("typer")
pytest.importorskip("pathspec")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = photos(tmp_path_factory.mktemp("cli") / "photos", 3)
    return str(root / ".hashret")


def rows(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_label_then_export_then_match_what_was_exported(store, tmp_path):
    done = run_here("label", "--set", "animal=cat", "1", "--store", store, "--json")
    assert rows(done) == [{"key": "animal", "labelled": 1, "changed": 1, "refused": []}]
    out = str(tmp_path / "a.csv")
    done = run_here("export", out, "--store", store)
    assert (done.returncode, done.stdout) == (0, f"{out}: 3 images, codes of perceptual\n")
    lines = Path(out).read_text(encoding="utf-8").splitlines()
    hashes = [line.split(",")[2] for line in lines[1:4]]
    listed = tmp_path / "known.csv"
    listed.write_text("\n".join(hashes[:2]))
    assert run_here("import", str(listed), "--store", store).returncode == 0
    done = run_here("match", "known", "--radius", "0", "--store", store, "--json")
    assert [(row["query"]["line"], row["id"], row["distance"]) for row in rows(done)] == [
        (1, 1, 0),
        (2, 2, 0),
    ]


def test_what_is_refused_ends_with_three_and_usage_with_two(store, tmp_path):
    csv = tmp_path / "l.csv"
    csv.write_text("0.png,a\n\x1b[31mno.png,b\n")
    done = run_here("label", "--csv", str(csv), "--store", store)
    assert done.returncode == 3
    assert "\x1b[31m" not in done.stderr + done.stdout
    assert run_here("label", "--csv", str(csv), "--store", store, "--skips-ok").returncode == 0
    for wrong in (
        ("export", "codes.xyz"),
        ("export", str(tmp_path / "a.npy"), "--ids", "1,x"),
        ("match", "nothing"),
        ("match", "known", "--encoder", "other"),
        ("label", "--set", "novalue", "1"),
        ("label", "77"),
        ("train",),
    ):
        extra = [] if wrong[0] == "train" else ["--store", store]
        done = run_here(*wrong, *extra)
        assert done.returncode == 2, wrong
        assert done.stderr.startswith("hashret: ")
        assert done.stderr.count("\n") == 1


def test_embeddings_that_are_pickled_are_a_failure(store, tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([{}], object), allow_pickle=True)
    done = run_here("import", str(path), "--store", store)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_eval_by_labels_prints_json(tmp_path):
    root = tmp_path / "photos"
    for number in range(4):
        write(root / "ab"[number % 2] / f"{number}.png", number)
    photos(root, 0)
    store = str(root / ".hashret")
    assert run_here("label", "--folders", "--store", store).returncode == 0
    (found,) = rows(run_here("eval", "--label", "label", "--store", store, "--json"))
    assert (found["encoder"], found["images"], found["labels"]) == ("perceptual", 4, 2)
    assert found["chance"] == pytest.approx(1 / 3)
