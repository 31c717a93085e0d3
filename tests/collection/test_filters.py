"""Filters: what they find, where they are refused, and that they stay a condition."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashret import ParameterError
from hashret.collection.catalogue import add_root, write_catalogue
from hashret.collection.filters import FIELDS, as_number, matching, parse_filter

# Path, format, width, height, taken, size, label.
IMAGES = [
    (b"Italy/rome.jpg", "JPEG", 4000, 3000, "2020-05-17T10:00:00", 2_000_000, "city"),
    (b"trips/Italy/sea.png", "PNG", 800, 600, "2019-12-31T23:59:59", 900_000, "sea"),
    (b"trips/Italy old/x.jpg", "JPEG", 800, 600, None, 1_000_000, None),
    (b"b\xff/a'b\"c%.webp", "WEBP", 64, 64, "2021-01-01T00:00:00", 100, "7"),
]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    with write_catalogue(str(folder / ".hashret")) as catalogue:
        root = add_root(catalogue, str(folder)).id
        for number, (path, format, width, height, taken, size, label) in enumerate(IMAGES, 1):
            content = bytes([number]) * 32
            catalogue.execute(
                "INSERT INTO images VALUES (?, ?, ?, ?, ?, ?)",
                (number, content, format, width, height, taken),
            )
            catalogue.execute(
                "INSERT INTO files VALUES (NULL, ?, ?, 'present', NULL, ?, ?, 0, 0, 0, 0, 0, 0)",
                (root, path, content, size),
            )
            if label:
                row = (content, "label", label)
                catalogue.execute("INSERT INTO metadata VALUES (?, ?, ?)", row)
        yield catalogue


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('taken >= 2020 and folder = "Italy" and size > 1MB', [1]),
        ("taken >= 2020", [1, 4]),
        ("taken <= 2019", [2]),
        ("taken = 2020-05", [1]),
        ('taken > "2020-05-17 09"', [1, 4]),
        ("taken = none", [3]),
        ("not taken >= 2020", [2, 3]),
        ("folder = italy", [1, 2]),
        ("folder = 'ital*'", [1, 2, 3]),
        ("folder = trips/Italy", [2]),
        ("path = *.jpg", [1, 3]),
        ("name = rome.jpg or name = 'SEA.*'", [1, 2]),
        ("name != rome.jpg", [2, 3, 4]),
        ("name = i*", []),
        ("width >= 800 and height < 3k", [2, 3]),
        ("pixels > 1MP", [1]),
        ("size == 100", [4]),
        ("size <= 1MB and not (format = jpg)", [2, 4]),
        ("format in (jpg, .PNG)", [1, 2, 3]),
        ("label = sea", [2]),
        ("label > 6", [4]),
        ("metadata.label != sea", [1, 3, 4]),
        ("NOT NOT width = 64 OR width = 4000", [1, 4]),
        ('name = "a\'b""c%.webp"', [4]),
    ],
)
def test_what_it_finds(catalogue, text, ids):
    assert matching(catalogue, parse_filter(text)).tolist() == ids


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got the end"),
        ("widht > 3", "width, perhaps, .*got 'widht' at character 1"),
        ("width > 3 and", "got the end"),
        ("width > 3 ; drop", "and, or, or the end, got ';' at character 11"),
        ("width ~ 3", "one of = .*'~' at character 7"),
        ("width > many", "a number such as .*'many' at character 9"),
        ("width > '3'", "a number"),
        ("taken > 202x", "a time such as .*'202x'"),
        ("taken > none", "= or != here, got '>'"),
        ("folder > a", "= or !="),
        ("(width > 3", r"or \), got the end"),
        ("name = 'a", 'the end of the quotes, got "\'a" at character 8'),
        ("label in a", r"\( and values"),
        ("label in (a", r", or \), got the end"),
        ("metadata. = 3", "expected one of"),
        ("'width' > 3", "expected"),
        ("and and and", "'and' at character 1"),
        ("width = \udcff", "UTF-8.* at 9"),
        ("(" * 5000, "at most 10 levels"),
        (" or ".join(["width = 1"] * 101), "at most 100 comparisons"),
        ("x" * 20_001, "at most 20000 characters"),
    ],
)
def test_refused(text, words):
    with pytest.raises(ParameterError, match=f"where: .*{words}"):
        parse_filter(text)


def test_as_deep_and_as_long_as_it_may_be(catalogue):
    for text in (
        "not " * 9 + "width = 1",
        "(" * 9 + "width = 1" + ")" * 9,
        "width = 1 or width = 2 and (" * 9 + "folder = 1" + ")" * 9,
        " or ".join(["label = a"] * 100),
        f"label in ({', '.join('a' * 100)})",
        "not (" * 4 + " and ".join(["path = a"] * 100) + ")" * 4,
    ):
        matching(catalogue, parse_filter(text))


WORDS = [*FIELDS, "metadata.label", "and", "or", "not", "in", "none", "(", ")", ",", "<", ">=", "="]
WORDS += ["!=", "2020", "1MB", "'", '"', ";", "--", "DROP TABLE images", "?", "*", "[", "\0", "a"]


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=12).map(" ".join))
def test_any_text_is_a_condition_or_refused(catalogue, text):
    try:
        found = parse_filter(text)
    except ParameterError:
        return
    # Nothing of the text is in the statement.
    assert found.condition.count("?") == len(found.values)
    before = catalogue.execute("SELECT count(*), sum(id) FROM images").fetchone()
    matching(catalogue, found)
    assert catalogue.execute("SELECT count(*), sum(id) FROM images").fetchone() == before


@given(st.text(min_size=1, max_size=12))
def test_a_value_is_never_more_than_a_value(catalogue, value):
    try:
        found = parse_filter('label = "{}" and width > 3'.format(value.replace('"', '""')))
    except ParameterError:
        assert any("\ud800" <= one <= "\udfff" for one in value)
        return
    assert found.condition == parse_filter('label = "x" and width > 3').condition
    assert matching(catalogue, found).tolist() in ([], [1], [2], [4], [1, 2, 4], [1, 2])


@given(st.dates(datetime.date(2018, 1, 1), datetime.date(2022, 1, 1)), st.sampled_from("<>="))
def test_times_are_compared_as_far_as_they_are_given(catalogue, day, sign):
    for given_time in (f"{day:%Y}", f"{day:%Y-%m}", f"{day:%Y-%m-%d}"):
        ids = matching(catalogue, parse_filter(f"taken {sign} {given_time}"))
        compare = {"<": str.__lt__, ">": str.__gt__, "=": str.__eq__}[sign]
        expected = [
            number
            for number, (*_, taken, _, _) in enumerate(IMAGES, 1)
            if taken and compare(taken[: len(given_time)], given_time)
        ]
        assert ids.tolist() == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("1.5 kB", 1500), ("2GiB", 2**31), (".5M", 5e5), ("12MP", 12e6), ("3px", 3)],
)
def test_numbers(text, number):
    assert as_number(text) == number


@pytest.mark.parametrize("text", ["", "MB", "1e3", "-1", "1XB", "1..2", "١"])
def test_no_numbers(text):
    assert as_number(text) is None
