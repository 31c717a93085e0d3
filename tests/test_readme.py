"""README's example runs, and its commands are those that CI runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hashret

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(
    not (ROOT / "README.md").exists(), reason="README.md is not beside the tests"
)


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_example_runs_as_it_stands(tmp_path):
    pytest.importorskip("skimage")
    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line]) <= 11
    home = str(Path(hashret.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([home, os.environ["PYTHONPATH"]])},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    labels = [int(digit) for digit in re.findall(r"\d+", done.stdout)]
    assert len(labels) == 3 * 5
    # The first test image of the sample and its neighbours: most are of its class.
    from hashret.datasets import fashion_mnist_sample

    wanted = fashion_mnist_sample().test_labels[:3].repeat(5)
    assert sum(a == b for a, b in zip(labels, wanted, strict=True)) >= 8


def test_two_commands_of_one_line_each():
    commands = blocks("sh")[:2]
    assert [command.count("\n") for command in commands] == [1, 1]
    assert [command.split()[-1] for command in commands] == ["demo", "loadfile"]
    for command in commands:
        assert command.startswith("python3 -m venv .venv && ")
        assert "-c constraints.txt" in command


def test_ci_takes_its_commands_from_readme():
    script = ROOT / ".ci" / "run"
    if not script.exists():
        pytest.skip(".ci/run is not beside the tests")
    text = script.read_text(encoding="utf-8")
    (pattern,) = re.findall(r'grep -E "(.*)\\\$"', text)
    ends = re.findall(r"readme_command '([\w -]+)'\)", text)
    assert ends == ["hashret demo", "pytest -n auto --dist loadfile"]
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    names = ("demo", "tests")
    for name, end, command in zip(names, ends, blocks("sh")[:2], strict=True):
        found = [line for line in lines if re.search(pattern.replace("$1", end) + "$", line)]
        assert found == [command.strip()]
        assert f'bash -euo pipefail -c "${name}"' in text


def test_constraints_pin_every_dependency():
    pinned = {
        re.split("==", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {
        re.split(r"[^\w.-]", requirement)[0].lower()
        for group in (project["dependencies"], *project["optional-dependencies"].values())
        for requirement in group
    }
    assert required - {"hashret"} <= pinned


PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "csrc/README.md", "docs/architecture.md"]


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, heading = target.partition("#")
        if target.startswith("https://"):
            continue
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [name.lower().replace(" ", "-") for name in headings], target


@pytest.mark.parametrize("page", PAGES[1:])
def test_files_that_are_named_exist(page):
    """In code and in commands, from the top or from the page's own folder."""
    text = (ROOT / page).read_text(encoding="utf-8")
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^    (.+)$", text, re.MULTILINE)
    named = set(re.findall(r"(?<![\w./])[a-z][\w-]*(?:/[\w.-]+)*/[\w.-]*", " ".join(code)))
    folders = (ROOT, (ROOT / page).parent)
    assert not [name for name in named if not any((folder / name).exists() for folder in folders)]


@pytest.mark.parametrize("page", ["csrc/README.md", "docs/architecture.md"])
def test_functions_of_the_engine_that_are_named_exist(page):
    source = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("csrc/**/*.[ch]"))
    named = re.findall(r"`(hr_\w+)", (ROOT / page).read_text(encoding="utf-8"))
    assert named
    assert not [name for name in named if not re.search(rf"\b{name}\b", source)]
