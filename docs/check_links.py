"""Check the links of a built manual: ``python docs/check_links.py build/manual``.

Each link within it leads to a file that is there, and to a place that is in it; and no page needs
anything from elsewhere to be drawn. Links to other sites are asked by
``sphinx-build -b linkcheck docs build/links``, which needs the network.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself, by tag.
_FETCHED = {"img": "src", "script": "src", "source": "src", "iframe": "src", "link": "href"}
# Of a <link>: what is only told, not fetched.
_TOLD = {"canonical", "index", "next", "prev", "search", "top"}


class _Page(HTMLParser):
    """The places of a page, and what it links and fetches."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {key: value or "" for key, value in attrs}
        self.places |= {of[key] for key in ("id", "name") if key in of}
        if tag == "a" and "href" in of:
            self.links.append(of["href"])
        elif of.get(_FETCHED.get(tag, "")) and of.get("rel") not in _TOLD:
            self.fetched.append(of[_FETCHED[tag]])


def problems(manual: Path) -> Iterator[str]:
    """Yield what is wrong in a folder of pages."""
    page = cache(_Page)
    for file in sorted(manual.rglob("*.html")):
        name = file.relative_to(manual)
        for address in page(file).fetched:
            if urlsplit(address).scheme not in ("", "data"):
                yield f"{name}: fetched from elsewhere: {address}"
        for address in page(file).links + page(file).fetched:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)) if parts.path else file
            if not target.is_file():
                yield f"{name}: no such file: {address}"
            elif parts.fragment and not _has(page, target, unquote(parts.fragment)):
                yield f"{name}: no such place: {address}"


def _has(page: Callable[[Path], _Page], file: Path, place: str) -> bool:
    return file.suffix != ".html" or place in page(file).places


if __name__ == "__main__":
    found = list(problems(Path(sys.argv[1])))
    print("\n".join(found) or "all links lead somewhere")
    sys.exit(bool(found))
