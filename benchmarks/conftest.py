"""The option ``--size``, contenders in turns under pytest-benchmark, and the table of ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hashret import _native

from . import data, machine, real
from .duel import OURS, Duel
from .sizes import size as read_size

DUELS = pytest.StashKey[list[tuple[str, Duel]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--size",
        type=read_size,
        default=read_size("medium"),
        help="codes to search: small, medium (default), large, huge or a number",
    )
    parser.addoption(
        "--cifar10",
        type=Path,
        help="archive or folder of CIFAR-10's JPEG files, for the suites of real codes",
    )
    parser.addoption(
        "--kept", type=Path, default=data.CACHE, help="folder of features and learned codes"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[DUELS] = []
    data.CACHE, real.CIFAR10 = config.getoption("--kept"), config.getoption("--cifar10")


@pytest.fixture
def size(request: pytest.FixtureRequest) -> int:
    """Number of codes of this run."""
    return int(request.config.getoption("--size"))


@pytest.fixture(params=_native.supported_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set of the machine in turn."""
    before = _native.isa()
    _native.select_isa(request.param)
    assert _native.isa() == request.param
    yield request.param
    _native.select_isa(before)


@pytest.fixture
def duel(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., Duel]:
    """Time ours by pytest-benchmark, with the rivals' turns between its rounds."""

    def play(calls: Mapping[str, Callable[[], object]], rounds: int = 9, units: int = 1) -> Duel:
        contest = Duel(calls)
        contest.warm_up()
        # Its setup runs, untimed, before every round.
        benchmark.pedantic(
            contest.turn, args=(OURS,), setup=contest.rivals, rounds=rounds, iterations=1
        )
        benchmark.extra_info |= {
            "isa": _native.isa(),
            "ratio": contest.ratios(),
            "per second": units / contest.median(),
        }
        request.config.stash[DUELS].append((request.node.name, contest))
        return contest

    return play


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    duels = config.stash[DUELS]
    if not duels:
        return
    terminalreporter.section("time of the others / time of hashret (median, best)")
    width = max(len(name) for name, _ in duels)
    for name, contest in duels:
        ratios = [
            f"{rival} {contest.ratio(rival):.2f} {contest.ratio(rival, best=True):.2f}"
            for rival in contest.ratios()
        ]
        took = f"{contest.median() * 1e3:10.3f} ms"
        terminalreporter.write_line(f"{name:{width}} {took}   {'   '.join(ratios)}")
    terminalreporter.write_line(
        ", ".join(f"{name} {value}" for name, value in machine.facts().items())
    )
