"""The page in a browser: searching, reviewing by keyboard, the map; on a screen and a telephone."""

from __future__ import annotations

import re
import shutil

import pytest

pytest.importorskip("web_site")
pytest.importorskip("playwright")

from playwright.sync_api import expect
from web_site import SCREENS, serving


@pytest.fixture(scope="module")
def site(untouched, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "photos"
    with serving(shutil.copytree(untouched, folder)) as url:
        yield url


# Where things are depends on the size alone, and colours are looked at in `test_accessibility.py`.
@pytest.fixture(params=[("screen", "light"), ("telephone", "dark")], ids="-".join)
def page(browser, site, request):
    """The page; every error of its scripts, and all that it asks of other hosts, is a failure."""
    size, scheme = request.param
    context = browser.new_context(viewport=SCREENS[size], color_scheme=scheme, base_url=site)
    page = context.new_page()
    page.set_default_timeout(15_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        # That others were quicker is told to the person; browsers note it as well.
        lambda said: (
            wrong.append(said.text) if said.type == "error" and "409" not in said.text else None
        ),
    )
    page.on(
        "request",
        lambda one: None if one.url.startswith((site, "blob:", "data:")) else wrong.append(one.url),
    )
    page.goto("/")
    yield page
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    context.close()
    assert wrong == []
    assert width == 0, "wider than the screen"


# For keys, answers and waiting, which have no size; other tests open these views on a telephone.
on_a_screen = pytest.mark.parametrize("page", [("screen", "light")], indirect=True, ids="-".join)


def tiles(page):
    return page.locator(".grid .tile")


def test_look_click_on_and_filter(page):
    expect(tiles(page)).to_have_count(11)
    page.locator(".tile a[aria-label*='like 1.png']").click()
    expect(page.locator("h1")).to_have_text("10 similar images")
    expect(tiles(page).first).to_contain_text("small 1.jpg")
    page.goto("/#/search?folder=copies")
    expect(tiles(page)).to_have_count(3)


def test_search_by_a_picture_of_ones_own(page, tmp_path):
    from web_site import write

    write(tmp_path / "2.png", 2)
    page.locator("input[type=file]").set_input_files(tmp_path / "2.png")
    expect(page.locator("h1")).to_have_text("11 similar images")
    expect(tiles(page).first).to_contain_text("2.png")
    if page.locator(".options > summary").is_visible():
        page.locator(".options > summary").click()
    slider = page.get_by_label("Results, at most")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator("h1")).to_have_text("10 similar images")
    page.reload()
    expect(page.locator("h1")).to_have_text("10 similar images")
    expect(page.get_by_alt_text("The picture that is searched for")).to_be_visible()


@on_a_screen
def test_a_picture_that_this_browser_never_saw_is_asked_for(page):
    page.goto("/#/search?upload=1")
    expect(page.locator("h1")).to_have_text("That picture is not at hand any more")


def test_what_a_choice_means_is_told(page):
    page.goto("/#/search?from=2001-01-01")
    expect(page.locator("h1")).to_have_text("Images that fit")
    if page.locator(".options > summary").is_visible():
        page.locator(".options > summary").click()
    expect(page.get_by_text("do not say when they were taken")).to_be_visible()


def test_filters_stay_when_the_picture_changes(page, tmp_path):
    from web_site import write

    write(tmp_path / "2.png", 2)
    page.goto("/#/search?folder=copies")
    expect(tiles(page)).to_have_count(3)
    page.locator("input[type=file]").set_input_files(tmp_path / "2.png")
    expect(page.locator("h1")).to_have_text("3 similar images")
    page.get_by_role("button", name="Search for something else").click()
    expect(page.locator("h1")).to_have_text("Images that fit")


def test_a_part_of_a_folders_name_is_enough(page):
    expect(tiles(page)).to_have_count(11)
    if page.locator(".options > summary").is_visible():
        page.locator(".options > summary").click()
    page.locator("summary", has_text="Filters").last.click()
    page.get_by_label("Folder").fill("copi")
    page.keyboard.press("Enter")
    expect(tiles(page)).to_have_count(3)
    expect(page.get_by_label("Folder")).to_have_value("*copi*")


@on_a_screen
def test_a_server_that_is_gone_is_told(page):
    page.context.route("**/static/map.js", lambda route: route.abort())
    alone = page.context.new_page()
    alone.goto("/#/map")
    expect(alone.locator("h1")).to_have_text("The server does not answer")
    # Nothing is asked of this server: what another answered was its last word.
    alone.route("**/api/bulk", lambda route: route.fulfill(json={}))
    alone.route("**/api/bulk/progress", lambda route: route.abort())
    alone.goto("/#/duplicates")
    alone.get_by_role("button", name="Clean up 3 groups…").click()
    alone.get_by_role("button", name="Do that with 3 groups").click()
    said = alone.locator("dialog [role=status]")
    expect(said).to_contain_text("start hashret serve again")
    alone.close()


def test_names_are_never_markup(page):
    page.goto("/#/search?words=name+%3D+%22%3Cb*%22")
    expect(tiles(page)).to_have_count(1)
    tiles(page).first.get_by_role("button").click()
    expect(page.locator("dialog h2")).to_contain_text("<b onmouseover=x>")
    assert page.locator("b[onmouseover]").count() == 0
    page.get_by_role("link", name="Find images like this").click()
    expect(page.locator("dialog")).to_be_hidden()
    expect(page.locator(".ask .name")).to_contain_text("longer than any card")
    over = "one => one.scrollWidth - one.clientWidth"
    assert page.locator(".side").evaluate(over) == 0
    assert page.locator(".ask").evaluate(over) == 0


@on_a_screen
def test_duplicates_are_reviewed_by_keyboard_and_taken_back(page):
    page.goto("/#/duplicates")
    head = page.locator(".duplicates h1")
    # Found by a process that starts first.
    expect(head).to_have_text("3 groups", timeout=60_000)
    current = page.locator(".group[aria-current]")
    first = current.inner_text()
    page.keyboard.press("j")
    expect(current).not_to_have_text(first)
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.locator("figcaption").first).not_to_contain_text("stays")
    for mode in ("Slider", "Difference", "Side by side"):
        page.keyboard.press("c")
        expect(page.get_by_role("button", name=mode)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("a")
    expect(head).to_have_text("2 groups")
    page.reload()
    expect(head).to_have_text("2 groups")
    page.get_by_role("button", name="Decisions").click()
    page.get_by_role("button", name="Take back").click()
    page.keyboard.press("Escape")
    expect(head).to_have_text("3 groups")
    page.keyboard.press("a")
    expect(head).to_have_text("2 groups")
    page.keyboard.press("u")
    expect(head).to_have_text("3 groups")


@on_a_screen
def test_the_other_is_kept_instead(page):
    page.goto("/#/duplicates")
    expect(page.locator(".duplicates h1")).to_have_text("3 groups", timeout=60_000)
    stays = page.locator("figcaption.keeps b")
    other = page.locator("figcaption:not(.keeps) b")
    button = page.get_by_role("button", name="Keep the other instead")
    while button.is_disabled():
        page.keyboard.press("j")
    first, second = stays.inner_text(), other.inner_text()
    page.keyboard.press("o")
    expect(stays).to_have_text(second)
    expect(other).to_have_text(first)
    page.keyboard.press("u")
    expect(page.locator(".group .said b", has_text=first).first).to_be_attached(timeout=30_000)


def test_many_groups_at_once_and_taken_back(page, site):
    page.goto("/#/duplicates")
    head = page.locator("h1")
    expect(head).to_have_text("3 groups", timeout=60_000)
    page.get_by_label("Which groups").select_option("Equal bytes")
    expect(head).to_have_text("1 group")
    page.get_by_label("Which groups").select_option("All kinds")
    # The fields are drawn anew with the answer.
    expect(head).to_have_text("3 groups")
    page.get_by_label("Folder", exact=True).fill("copies")
    page.keyboard.press("Enter")
    expect(head).to_have_text("3 groups")
    for action, done in (
        ("Keep all files", "All files are kept"),
        ("Move the copies away", "Copies are moved away"),
    ):
        page.get_by_role("button", name="Clean up 3 groups…").click()
        page.get_by_label(action).check()
        page.get_by_role("button", name="Do that with 3 groups").click()
        dialog = page.locator("dialog h2")
        expect(dialog).to_have_text(done, timeout=60_000)
        expect(page.locator(".empty")).to_contain_text("No group fits")
        page.get_by_role("button", name="Take back").click()
        expect(dialog).to_have_text("Taken back", timeout=60_000)
        page.get_by_role("button", name="Close").last.click()
        expect(head).to_have_text("3 groups")
    # By the list of decisions, after the dialog was closed.
    page.get_by_role("button", name="Clean up 3 groups…").click()
    page.get_by_role("button", name="Do that with 3 groups").click()
    expect(dialog).to_have_text("Copies are moved away", timeout=60_000)
    page.get_by_role("button", name="Close").last.click()
    page.reload()
    page.get_by_role("button", name="Decisions").click()
    page.get_by_role("button", name="Bring back").click()
    expect(dialog).to_have_text("Taken back", timeout=60_000)
    page.get_by_role("button", name="Close").last.click()
    expect(head).to_have_text("3 groups")


@on_a_screen
def test_groups_that_changed_meanwhile_are_shown_first(page, site):
    page.goto("/#/duplicates")
    head = page.locator("h1")
    expect(head).to_have_text("3 groups", timeout=60_000)
    page.get_by_role("button", name="Clean up 3 groups…").click()
    group = page.request.get("/api/groups").json()["groups"][0]
    images = sorted({one["id"] for one in (group["keep"], *group["members"])})
    said = {"kind": "keep", "images": images, "group": group["number"]}
    made = page.request.post("/api/decisions", data=said).json()
    page.get_by_role("button", name="Do that with 3 groups").click()
    expect(head).to_have_text("2 groups")
    expect(page.locator(".toast")).to_contain_text("other groups")
    assert page.request.delete(f"/api/decisions/{made['decision']}").ok


def test_map_folders_and_skipped(page):
    page.goto("/#/map")
    canvas = page.locator("canvas")
    # Made by a process that starts first.
    expect(canvas).to_have_attribute("aria-label", re.compile("Map of 11 images"), timeout=60_000)
    for key in ("+", "ArrowLeft", "ArrowDown", "-", "0", "Tab"):
        canvas.press(key)
    page.goto("/#/folders")
    page.get_by_role("link", name=re.compile("copies")).click()
    expect(tiles(page)).to_have_count(3)
    page.goto("/#/skipped")
    expect(page.get_by_text("damaged.jpg")).to_be_visible()
    page.get_by_role("link", name="Missing").click()
    expect(page.get_by_text("All is well")).to_be_visible()


def test_dark_and_light_by_the_button(page):
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.get_by_role("button", name=re.compile("Switch to")).click()
    assert page.evaluate(ground) != before
    page.reload()
    assert page.evaluate(ground) != before
