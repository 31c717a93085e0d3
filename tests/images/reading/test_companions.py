"""Files of one photograph, by their names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashret.images.reading import companions


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("a.JPG a.CR2", {"a.JPG": ["a.CR2"]}),
        ("a.heic a.MOV a.AAE", {"a.heic": ["a.AAE", "a.MOV"]}),
        ("a.CR2 a.xmp", {"a.CR2": ["a.xmp"]}),
        ("a.CR2 a.CR2.xmp", {"a.CR2": ["a.CR2.xmp"]}),
        ("a.jpg a.CR2 a.CR2.xmp a.jpg.xmp", {"a.jpg": ["a.CR2", "a.CR2.xmp", "a.jpg.xmp"]}),
        ("a.jpg a.heic a.MOV", {"a.jpg": ["a.MOV"]}),
        ("a.jpg a.heic a.heic.xmp", {"a.heic": ["a.heic.xmp"]}),
        ("a.jpg A.CR2 b.xmp c.mov notes.txt", {}),
        ("a.jpg a.mp4 a.txt", {}),
        (".jpg .xmp .mov", {}),
        ("", {}),
    ],
)
def test_who_belongs_to_whom(names, expected):
    as_bytes = {k.encode(): [v.encode() for v in values] for k, values in expected.items()}
    assert companions(names.encode().split()) == as_bytes


SUFFIXES = st.sampled_from(["", ".jpg", ".JPG", ".cr2", ".xmp", ".mov", ".heic", ".jpg.xmp"])
NAMES = st.builds(lambda a, b: (a + b).encode(), st.sampled_from(["a", "b", "", "a.jpg"]), SUFFIXES)


@given(st.lists(NAMES))
def test_no_name_occurs_twice(names):
    found = companions(names)
    every = [*found, *(name for each in found.values() for name in each)]
    assert len(every) == len(set(every))
    assert set(every) <= set(names)
    assert found == companions(reversed(names))
