"""The contact sheet and the web page: complete, escaped, and readable without any other file."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("matplotlib")

from PIL import Image

from hashret.errors import ShapeError
from hashret.experiments.gallery.answers import Answers, Gallery, Hit, Tile, collect_hits
from hashret.experiments.gallery.page import render_html, write_html
from hashret.experiments.gallery.sheet import RIGHT, WRONG, write_png

HOSTILE = '<script>alert("x")</script> $\\frac{1}{ & "\' {0} %s'


def picture(seed: int, shape: tuple[int, ...] = (28, 28)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def gallery(name: str = "Coat", queries: int = 2, hits: int = 3) -> Gallery:
    found = tuple(
        tuple(Hit(Tile(picture(10 * q + h), name), h, h % 2 == 0) for h in range(hits))
        for q in range(queries)
    )
    return Gallery(
        title=f"Title {name}",
        subtitle=f"Subtitle {name}",
        queries=tuple(Tile(picture(100 + q), f"{name} {q}") for q in range(queries)),
        methods=(Answers(f"DSH {name}", name, found), Answers(f"LSH {name}", name, found)),
        columns=("method", name),
        rows=((name, "0.5"), ("LSH", name)),
        notes=(name,),
        credits=f"Credits {name}",
    )


class Page(HTMLParser):
    """Collects tags with their attributes, and the text outside of style."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_every_tag_of_the_page_is_closed():
    assert Page(render_html(gallery())).open == []


def test_page_embeds_the_very_images():
    shown = gallery()
    sources = [attributes["src"] for attributes in Page(render_html(shown)).all("img")]
    decoded = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))))
        for source in sources
    ]
    expected = []
    for number, query in enumerate(shown.queries):
        expected.append(query.image)
        expected += [hit.tile.image for method in shown.methods for hit in method.hits[number]]
    assert len(decoded) == len(expected) == 2 * (1 + 2 * 3)
    for got, wanted in zip(decoded, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_page_needs_nothing_outside_itself():
    html = render_html(gallery())
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith(
                ("data:image/png;base64,", "#", "data:")
            )
    assert not re.search(r"https?://|@import|url\(", html)


def test_hostile_text_stays_text():
    page = Page(render_html(gallery(HOSTILE)))
    assert not page.all("script")
    # Title twice; subtitle; head cell; two body cells; note; queries; methods and hits; credits.
    assert page.text.count(HOSTILE) >= 10
    assert page.all("img")[0]["alt"] == f"Query image: {HOSTILE} 0"
    assert page.open == []


def test_right_and_wrong_differ_in_more_than_colour():
    page = Page(render_html(gallery(queries=1, hits=2)))
    assert page.text.count("✓") == 1 + 2  # the legend, and one a method
    assert page.text.count("✗") == 1 + 2
    alts = [attributes["alt"] for attributes in page.all("img")]
    assert alts == ["Query image: Coat 0", *["Coat, right", "Coat, wrong"] * 2]


def test_page_says_how_many_are_right_and_how_far():
    text = Page(render_html(gallery(queries=1, hits=3))).text
    assert text.count("2 of 3 right") == 2
    assert [int(d) for d in re.findall(r"d (\d+)", text)] == [0, 1, 2, 0, 1, 2]


def test_every_heading_label_and_id_resolves():
    page = Page(render_html(gallery()))
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for article in page.all("article"):
        assert article["aria-labelledby"] in ids
    assert page.all("html")[0]["lang"] == "en"
    assert [a["id"] for a in page.all("input")] == ["view-0", "view-1", "view-2"]


def test_one_method_has_no_switch_and_an_empty_answer_says_so(tmp_path):
    shown = Gallery("t", "s", (Tile(picture(1), "Bag"),), (Answers("LSH", "16 bits", ((),)),))
    page = Page(render_html(shown))
    assert not page.all("input")
    assert not page.all("table")
    assert "Nothing found." in page.text
    write_png(shown, tmp_path / "sheet.png", dpi=40)
    assert pixels(tmp_path / "sheet.png").shape[1] > 100


def test_no_queries_is_an_empty_page_and_sheet(tmp_path):
    shown = Gallery("t", "s", (), (Answers("LSH", "16 bits", ()),))
    assert not Page(render_html(shown)).all("article")
    assert write_png(shown, tmp_path / "sheet.png", dpi=40).stat().st_size > 0


def test_answers_must_match_the_queries():
    with pytest.raises(ShapeError, match="expected 1 answers of LSH, one a query, got 0"):
        Gallery("t", "s", (Tile(picture(1), "Bag"),), (Answers("LSH", "16 bits", ()),))


def test_large_images_are_embedded_small():
    shown = Gallery("t", "s", (Tile(picture(1, (800, 1200, 3)), "Photo"),), ())
    source = Page(render_html(shown)).all("img")[0]["src"]
    size = Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))).size
    assert size == (192, 128)


def test_collect_hits_leaves_missing_neighbours_out():
    images, labels = np.stack([picture(s) for s in range(3)]), np.array([0, 1, 0])
    ids = np.array([[2, 1, -1], [-1, -1, -1]])
    distances = np.array([[0, 4, 2**31 - 1], [2**31 - 1] * 3], dtype=np.int32)
    first, second = collect_hits(images, labels, ("Bag", "Coat"), distances, ids, np.array([0, 1]))
    assert [(h.tile.name, h.distance, h.right) for h in first] == [
        ("Bag", 0, True),
        ("Coat", 4, False),
    ]
    np.testing.assert_array_equal(first[0].tile.image, images[2])
    assert second == ()


@pytest.mark.parametrize(("right", "color", "other"), [(True, RIGHT, WRONG), (False, WRONG, RIGHT)])
def test_sheet_marks_a_hit_in_its_colour(tmp_path, right, color, other):
    shown = Gallery(
        "t",
        "s",
        (Tile(picture(1), "Bag"),),
        (Answers("LSH", "16 bits", ((Hit(Tile(picture(2), "Bag"), 3, right),),)),),
    )
    write_png(shown, tmp_path / "sheet.png")
    below_heading = pixels(tmp_path / "sheet.png")[int(1.9 * 120) :]

    def area(wanted: str) -> int:
        rgb = [int(wanted[i : i + 2], 16) for i in (1, 3, 5)]
        return int((below_heading == rgb).all(axis=2).sum())

    assert area(color) > 400
    assert area(other) == 0


def test_sheet_draws_hostile_names_and_colour_images(tmp_path):
    shown = Gallery(
        HOSTILE,
        HOSTILE,
        tuple(Tile(picture(q, (20, 40, 3)), HOSTILE) for q in range(6)),
        (Answers(HOSTILE, HOSTILE, ((Hit(Tile(picture(9), HOSTILE), 3, True),),) * 6),),
        credits=HOSTILE,
    )
    first = write_png(shown, tmp_path / "a.png", dpi=40).read_bytes()
    assert write_png(shown, tmp_path / "b.png", dpi=40).read_bytes() == first


def test_write_html_is_utf8(tmp_path):
    path = write_html(gallery("Größe"), tmp_path / "page.html")
    assert "Größe" in path.read_text(encoding="utf-8")
