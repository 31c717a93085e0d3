"""The picture of the house: drawn from the imports and includes that there are now."""

from __future__ import annotations

import html
import importlib.util
import itertools
import re
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
SCRIPT = Path(__file__).parent.parent / "docs" / "make_house.py"
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="docs/ is not beside the tests")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_house", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def houses(script):
    return script.houses()


@pytest.fixture(scope="module")
def plans(script, houses):
    return [script.Plan(house) for house in houses]


def test_the_picture_is_of_what_there_is(script, houses):
    picture = script.PICTURE.read_text(encoding="utf-8")
    (kept,) = re.findall(r"<dc:description>(.*?)</dc:description>", picture, re.DOTALL)
    python, engine = houses
    assert html.unescape(kept) == f"{python}\n{engine}", "run python docs/make_house.py"


def test_no_two_rooms_overlap_and_arrows_lead_down(script, plans):
    for plan in plans:
        nodes = itertools.combinations(plan.x, 2)
        for one, other in nodes:
            if plan.floor(one) == plan.floor(other):
                widths = (script.WIDTH if len(node) == 1 else 0 for node in (one, other))
                assert abs(plan.x[one] - plan.x[other]) > sum(widths) / 2
        for arrow in plan.arrows:
            floors = [plan.floor(node) for node in arrow]
            assert floors == list(range(floors[0], floors[-1] - 1, -1))


def test_every_import_is_an_arrow_or_follows_from_arrows(houses, plans):
    for house, plan in zip(houses, plans, strict=True):
        drawn = {name: set() for name in house.uses}
        for user, *_, used in plan.arrows:
            assert used[0] in house.uses[user[0]], "an arrow without an import"
            drawn[user[0]].add(used[0])
        for name, used in house.uses.items():
            reached = set(drawn[name])
            for _ in house.uses:
                reached |= set().union(*(drawn[other] for other in reached))
            assert used <= reached
