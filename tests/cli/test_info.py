"""``hashret info``: what it says, and what it does not load."""

from __future__ import annotations

import re

import pytest
from commands import hide, run, run_here
from photos import write_photo

import hashret
from hashret.collection import Collection

pytest.importorskip("typer")
pytest.importorskip("rich")


@pytest.mark.parametrize("isa", hashret.cpu()["supported"])
def test_info_tells_the_forced_instruction_set(isa):
    done = run("info", HASHRET_ISA=isa)
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in done.stdout.splitlines() if line)
    assert done.returncode == 0
    assert facts["hashret"] == hashret.__version__
    assert facts["engine isa"] == isa
    assert facts["engine supported"].split(", ") == hashret.cpu()["supported"]
    assert facts["numpy"] == __import__("numpy").__version__


def test_info_loads_nothing_optional_and_says_what_is_missing():
    loaded = run(
        "info",
        code=hide("torch") + "\nimport atexit\natexit.register("
        "lambda: print('loaded', sorted({'torch', 'skimage', 'sklearn'} & set(sys.modules))))",
    )
    assert "loaded []" in loaded.stdout


def test_info_says_that_there_is_no_collection(tmp_path):
    assert run_here("info", cwd=tmp_path).stdout.startswith("collection        none here")


def test_info_advises_to_fit_again_what_was_fitted_to_far_fewer(tmp_path):
    write_photo(tmp_path / "0.png", 0)
    (tmp_path / "notes.txt").write_text("no image")
    with Collection.create([tmp_path]) as collection:
        collection.update(["hog"], workers=1)
    assert "--re-encode" not in run_here("info", cwd=tmp_path).stdout
    for number in range(1, 5):
        write_photo(tmp_path / f"{number}.png", number)
    run_here("index", cwd=tmp_path)
    said = run_here("info", cwd=tmp_path).stdout
    assert "better: hashret index --encoder hog --re-encode" in said
    assert "5 present, 1 other file" in said
    assert run_here("index", "--encoder", "hog", "--re-encode", cwd=tmp_path).returncode == 0
    assert "--re-encode" not in run_here("info", cwd=tmp_path).stdout
