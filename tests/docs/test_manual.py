"""The manual as it is built: without a warning, whole, its links right, and at home offline."""

from __future__ import annotations

import importlib
import re
import sys

import pytest


@pytest.fixture
def scripts(docs, monkeypatch):
    """What the pages are made with."""
    monkeypatch.syspath_prepend(docs)


@pytest.fixture
def inventory(manual):
    from sphinx.util.inventory import InventoryFile

    return InventoryFile.loads((manual / "objects.inv").read_bytes(), uri="")


def names(inventory, *kinds):
    return {name for kind in kinds for name in inventory.data.get(kind, {})}


def test_every_link_leads_somewhere(manual, scripts):
    check = importlib.import_module("check_links")
    assert list(check.problems(manual)) == []


def test_the_check_of_links_sees_what_is_wrong(scripts, tmp_path):
    check = importlib.import_module("check_links")
    (tmp_path / "a.html").write_text(
        '<a href="b.html">b</a><a href="#here">x</a><p id="there"></p><a href="#there">y</a>'
        '<script src="https://cdn.example/x.js"></script><a href="https://elsewhere.example">z</a>'
    )
    assert [problem.partition(": ")[2] for problem in check.problems(tmp_path)] == [
        "fetched from elsewhere: https://cdn.example/x.js",
        "no such file: b.html",
        "no such place: #here",
    ]


def test_every_command_has_its_page(manual, scripts):
    told = importlib.import_module("fill.commands").command_names()
    pages = {path.stem for path in (manual / "reference" / "commands").glob("*.html")}
    assert pages == {name.replace(" ", "-") for name in told}


def test_every_option_has_its_place(inventory, scripts):
    commands = importlib.import_module("fill.commands")
    options = names(inventory, "std:cmdoption")
    for name, command in commands.all_commands():
        context = command.context_class(command)
        for one in command.get_params(context):
            if one.param_type_name == "option":
                place = f"hashret {name}.{one.opts[0]}".replace(" ", "-")
                assert place in options, place


def test_every_public_name_has_its_place(inventory, scripts):
    modules = importlib.import_module("fill.modules")
    places = names(inventory, *(kind for kind in inventory.data if kind.startswith("py:")))
    for module in modules.MODULES:
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if type(value) is not type(sys):
                assert f"{modules.home(module, name)}.{name}" in places, (module, name)


def test_every_package_is_public_or_known_to_be_inside(scripts):
    import pkgutil

    import hashret

    public = set(importlib.import_module("fill.modules").MODULES)
    inside = {
        "checks", "cli", "experiments", "extras", "files", "images", "web.routes", "deep.model",
        "deep.saving", "deep.training", "deep.losses.supervised", "deep.losses.unsupervised",
        "deep.losses.wrappers",
    }  # fmt: skip
    for one in pkgutil.walk_packages(hashret.__path__, "hashret."):
        name = one.name.removeprefix("hashret.")
        is_top = one.ispkg or "." not in name
        if is_top and not name.startswith(("_", "experiments.")) and name not in inside:
            assert one.name in public, "say it in docs/fill/modules.py, with a page, or here"


def test_every_error_has_its_place(inventory):
    from hashret import errors

    told = names(inventory, "py:exception")
    assert told == {f"hashret.errors.{name}" for name in errors.__all__}


def test_every_table_of_the_store_is_told(docs, scripts):
    tables = importlib.import_module("fill.schema").tables()
    page = (docs / "reference" / "store.md").read_text(encoding="utf-8")
    assert [name for name in tables if f"\n## {name}\n" not in page] == []
    assert [name for name in tables if f"<!-- fill: table {name} -->" not in page] == []


def test_a_half_is_a_half(scripts):
    pytest.importorskip("docutils")
    drawn = importlib.import_module("fill.formulas").mathml(r"\tfrac12 (1-y)")
    numbers = re.findall(r"<mfrac[^>]*>\s*<mn>(\d+)</mn>\s*<mn>(\d+)</mn>\s*</mfrac>", drawn)
    assert numbers == [("1", "2")]


def test_the_search_box_finds_a_command_from_the_files_alone(manual, browser):
    page = browser.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto((manual / "index.html").as_uri())
    box = page.get_by_role("search").get_by_role("textbox").first
    box.fill("dedup")
    box.press("Enter")
    results = page.locator("#search-results li a")
    results.first.wait_for(timeout=15_000)
    assert any("commands/dedup.html" in (link or "") for link in links(results))
    results.filter(has_text="hashret dedup").first.click()
    page.wait_for_url("**/reference/commands/dedup.html*")
    assert page.locator("h1").inner_text().startswith("hashret dedup")
    assert wrong == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def links(results):
    return [results.nth(number).get_attribute("href") for number in range(results.count())]


def test_no_page_is_wider_than_the_screen(manual, browser):
    page = browser.new_page()
    wide = []
    widths = [390, 1400]
    for file in sorted(manual.rglob("*.html")):
        page.goto(file.as_uri())
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append((file.relative_to(manual).as_posix(), width))
        # The next one is loaded as wide as this one was left.
        widths.reverse()
    assert wide == []
