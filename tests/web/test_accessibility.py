"""No view breaks a rule of axe-core, on a screen and a telephone, light and dark."""

from __future__ import annotations

import re
import shutil

import pytest

pytest.importorskip("web_site")
pytest.importorskip("playwright")
pytest.importorskip("axe_playwright_python")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from web_site import SCREENS, serving

from hashret.collection import Collection

# A view, and what is seen when it is there.
VIEWS = {
    "latest": ("#/search", ".grid .tile"),
    "results": ("#/search?id=2", ".grid .tile .mark"),
    "filtered": ("#/search?folder=copies&from=1990-01-01&words=width+%3E+1", ".empty, .tile"),
    "wrong filter": ("#/search?words=nonsense", ".empty"),
    "duplicates": ("#/duplicates", ".review figure"),
    "map": ("#/map", "canvas[aria-label^='Map of']"),
    "folders": ("#/folders", ".folder"),
    "skipped": ("#/skipped", ".skipped table"),
    "missing": ("#/skipped?state=missing", ".skipped .empty"),
}


@pytest.fixture(scope="module")
def site(untouched, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "photos"
    with serving(shutil.copytree(untouched, folder)) as url:
        yield url


@pytest.fixture(scope="module")
def empty_site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("none")
    Collection.create([folder]).close()
    with serving(folder) as url:
        yield url


@pytest.fixture
def open_screen(browser):
    """Opens an empty page of a size and a scheme."""
    contexts = []

    def open_screen(size, scheme):
        # The policy of the page would let no script in, axe's neither.
        context = browser.new_context(
            viewport=SCREENS[size], color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        return page

    yield open_screen
    for context in contexts:
        context.close()


def assert_accessible(page, name):
    found = Axe().run(page)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"


@pytest.mark.parametrize("size", SCREENS)
def test_every_view(open_screen, site, size):
    screen = open_screen(size, "light")
    for name, (address, there) in VIEWS.items():
        screen.goto(site + address)
        expect(screen.locator(there).first).to_be_visible(timeout=60_000)
        for scheme in ("light", "dark"):
            screen.emulate_media(color_scheme=scheme)
            assert_accessible(screen, f"{name}, {scheme}")


# Each size and each scheme, crosswise: neither changes what the other one does.
@pytest.mark.parametrize(("size", "scheme"), [("screen", "dark"), ("telephone", "light")])
def test_what_opens_over_a_view(open_screen, site, size, scheme):
    screen = open_screen(size, scheme)
    screen.goto(f"{site}#/search?id=1")
    screen.get_by_role("button", name=re.compile("^About")).nth(1).click()
    expect(screen.locator("dialog h2")).to_be_visible()
    assert_accessible(screen, "viewer")
    screen.goto(f"{site}#/duplicates")
    expect(screen.locator("dialog")).to_be_hidden()
    expect(screen.locator(".review figure").first).to_be_visible(timeout=60_000)
    for mode in ("slider", "difference"):
        screen.keyboard.press("c")
        expect(screen.locator(f".stage.{mode}")).to_be_visible()
        assert_accessible(screen, mode)
    screen.keyboard.press("a")
    expect(screen.locator(".toast")).to_be_visible()
    assert_accessible(screen, "decided")
    screen.get_by_role("button", name="Clean up 2 groups…").click()
    expect(screen.locator(".option").first).to_be_visible()
    assert_accessible(screen, "many groups")
    screen.get_by_label("Keep all files").check()
    screen.get_by_role("button", name="Do that").click()
    expect(screen.locator("dialog h2")).to_have_text("All files are kept", timeout=60_000)
    assert_accessible(screen, "many groups done")
    screen.get_by_role("button", name="Take back").click()
    expect(screen.locator("dialog h2")).to_have_text("Taken back", timeout=60_000)
    screen.get_by_role("button", name="Close").last.click()
    screen.get_by_role("button", name="Decisions").click()
    expect(screen.locator(".history")).to_be_visible()
    assert_accessible(screen, "decisions")
    screen.get_by_role("button", name="Take back").click()
    screen.keyboard.press("Escape")
    expect(screen.locator(".duplicates h1")).to_have_text("3 groups", timeout=15_000)


@pytest.mark.parametrize(("size", "scheme"), [("screen", "light"), ("telephone", "dark")])
def test_the_page_of_an_empty_collection_and_the_door(open_screen, empty_site, size, scheme):
    screen = open_screen(size, scheme)
    for address in ("#/search", "#/duplicates", "#/map", "#/folders", "#/skipped", "login"):
        screen.goto(empty_site + address)
        there = "form" if address == "login" else ".empty"
        expect(screen.locator(there)).to_be_visible(timeout=30_000)
        assert_accessible(screen, address)
