"""The command: what it prints, what it refuses and how, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest

import hashret

pytest.importorskip("typer")
pytest.importorskip("rich")

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def run(
    *arguments: str, code: str | None = None, **environment: str
) -> subprocess.CompletedProcess:
    """Run the command as a user does; with `code`, something of that Python first."""
    start = ["-c", f"{code}; import hashret.__main__ as m; m.main()"] if code else ["-m", "hashret"]
    done = subprocess.run(
        [sys.executable, *start, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "COLUMNS": "200"} | environment,
        check=False,
        timeout=120,
    )
    done.stdout, done.stderr = ANSI.sub("", done.stdout), ANSI.sub("", done.stderr)
    return done


def assert_one_line(done: subprocess.CompletedProcess, *parts: str) -> None:
    assert done.returncode == 2
    assert done.stderr.startswith("hashret: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr + done.stdout
    for part in parts:
        assert part in done.stderr


def hide(package: str) -> str:
    """Return Python that makes a package look as if it were not installed."""
    return (
        "import sys, importlib.abc\n"
        "class Hide(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name.split('.')[0] == {package!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name}', name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
        "sys.argv[0] = 'hashret'"
    )


def test_version():
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"hashret {hashret.__version__}\n")


def test_help_names_the_commands():
    done = run("--help")
    assert done.returncode == 0
    for command in ("demo", "reproduce", "benchmark", "eval", "info"):
        assert re.search(rf"\b{command}\b", done.stdout)


def test_an_unknown_command_is_a_usage_error():
    done = run("dance")
    assert done.returncode == 2
    assert "dance" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("isa", hashret.cpu()["supported"])
def test_info_tells_the_forced_instruction_set(isa):
    done = run("info", HASHRET_ISA=isa)
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in done.stdout.splitlines())
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


@pytest.mark.parametrize(
    ("package", "extra"), [("matplotlib", "plot"), ("torch", "torch"), ("typer", "cli")]
)
def test_a_missing_extra_is_one_line(tmp_path, package, extra):
    done = run("demo", "--out", str(tmp_path / "x"), code=hide(package))
    assert_one_line(done, package, f"pip install 'hashret[{extra}]'")


def test_a_missing_data_set_names_the_four_ways(tmp_path):
    done = run(
        "reproduce",
        "fashion-mnist",
        "--out",
        str(tmp_path / "x"),
        "--data",
        str(tmp_path),
        "--only",
        "LSH",
    )
    assert_one_line(
        done, "fashion-mnist: not found", "HASHRET_DATA", "dataset-fashion-mnist", "download"
    )
    assert all(f"({number})" in done.stderr for number in (1, 2, 3, 4))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("option", "value", "known"),
    [("--only", "SIFT", "LSH, DSH, kNN, classifier"), ("--protocol", "mnist", "fmnist-seed")],
)
def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path, option, value, known):
    done = run("reproduce", "fashion-mnist", option, value, "--out", str(tmp_path / "x"))
    assert_one_line(done, f"{option[2:]}: expected one of {known}", repr(value))
    assert not (tmp_path / "x").exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    assert_one_line(run("demo", "--out", str(tmp_path / "file" / "x")), "file")
    assert_one_line(run("demo", "--out", str(tmp_path / "file")), "file")


@pytest.mark.parametrize("count", ["0", "101", "-1"])
def test_a_count_of_queries_out_of_range_is_one_line(tmp_path, count):
    done = run("demo", "--out", str(tmp_path), "--queries", count)
    assert_one_line(done, f"queries: expected 1 to 100, got {count}")


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ on Windows")
def test_ctrl_c_ends_with_130_and_one_line(tmp_path):
    pytest.importorskip("torch")
    process = subprocess.Popen(
        [sys.executable, "-m", "hashret", "demo", "--out", str(tmp_path / "x")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # The folder is made when the work begins.
    deadline = time.monotonic() + 60
    while not (tmp_path / "x").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert ANSI.sub("", errors).rstrip().splitlines()[-1] == "hashret: interrupted"
    assert list((tmp_path / "x").iterdir()) == []


def test_benchmark_takes_commas_and_prints_a_row_a_setting(tmp_path):
    pytest.importorskip("skimage")
    pytest.importorskip("sklearn")
    pytest.importorskip("torch")
    given = ["--protocol", "fmnist-sample", "--out", str(tmp_path / "r.jsonl")]
    done = run(
        "benchmark", "--suite", "fashion-mnist", "--methods", "pca, itq", "--bits", "8,12", *given
    )
    assert done.returncode == 0, done.stderr
    rows = [re.split(r"\s*│\s*", line)[1:3] for line in done.stdout.splitlines() if "│" in line]
    assert rows == [["pca", "8"], ["pca", "12"], ["itq", "8"], ["itq", "12"]]
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 4
    assert str(tmp_path / "r.jsonl") in done.stdout
    again = run("benchmark", "--suite", "fashion-mnist", "--methods", "pca", "--bits", "8", *given)
    assert "1 runs, 1 of them measured already" in again.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--suite", "mnist"], "suite: expected one of fashion-mnist, cifar10, got 'mnist'"),
        (["--suite", "cifar10", "--bits", "many"], "bits: expected a whole number, got 'many'"),
        (["--suite", "cifar10", "--methods", "sift"], "methods: expected one of knn"),
    ],
)
def test_an_unfit_benchmark_is_one_line(tmp_path, given, words):
    pytest.importorskip("torch")
    assert_one_line(run("benchmark", *given, "--out", str(tmp_path / "r.jsonl")), words)


def test_eval_of_a_missing_file_is_one_line(tmp_path):
    done = run("eval", "--codes", str(tmp_path / "no.npz"), "--out", str(tmp_path / "x"))
    assert_one_line(done, "no.npz")
    assert not (tmp_path / "x").exists()
