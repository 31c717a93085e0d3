"""Groups, and the calibration, as pages of HTML that need nothing beside them."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TextIO

from .along import Along, Companion
from .calibration import Level
from .finder import Group, Member, Place
from .pixels import previews

__all__ = ["write_calibration", "write_groups"]

_AT_ONCE = 100
_STYLE = """
:root { color-scheme: light dark; --page: #f6f6f4; --card: #fff; --ink: #1c1c1a; --soft: #6b6b66;
  --line: #e2e2dd; --keep: #1a7f4b; --go: #b3541e; }
@media (prefers-color-scheme: dark) { :root { --page: #161618; --card: #212124; --ink: #ececea;
  --soft: #9c9c98; --line: #35353a; --keep: #56c98b; --go: #e59a5f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 32px 20px 80px; background: var(--page);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 0; }
p { color: var(--soft); margin: 0 0 24px; max-width: 46em; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 18px; margin: 0 0 20px; }
.row { display: flex; flex-wrap: wrap; gap: 16px; }
figure { margin: 12px 0 0; width: 204px; }
.frame { height: 170px; border-radius: 8px; background: var(--page); display: flex;
  align-items: center; justify-content: center; overflow: hidden; }
img { max-width: 100%; max-height: 170px; display: block; }
.keep .frame { outline: 2px solid var(--keep); outline-offset: 2px; }
figcaption { font-size: 13px; margin-top: 8px; overflow-wrap: anywhere; color: var(--soft); }
figcaption b { color: var(--ink); font-weight: 600; }
.tag { color: var(--go); font-weight: 600; } .keep .tag { color: var(--keep); }
table { border-collapse: collapse; margin: 0 0 24px; background: var(--card); }
td, th { padding: 6px 18px; border-bottom: 1px solid var(--line); text-align: right; }
.pair { display: flex; gap: 4px; } .pair .frame { flex: 1; height: 110px; }
.pair img { max-height: 110px; } .few { color: var(--soft); white-space: nowrap; }
"""


def write_groups(
    page: TextIO, groups: Iterable[Group], along: Along | None = None
) -> Iterator[Group]:
    """Write groups side by side, each keeper with what looks like it; yield each when written.

    Parameters
    ----------
    page : file
        For text in UTF-8.
    groups : iterable of Group
    along : Along, optional
    """
    along = along or Along()
    page.write(_head("Duplicates"))
    page.write(
        "<h1>Duplicates</h1><p>The file with the green frame stays. Nothing is moved until "
        "<code>hashret dedup --apply</code>, and <code>hashret undo</code> brings all of it "
        "back; what is only similar is never moved. Pictures that are different are remembered by "
        "<code>hashret dedup --not-duplicates ID ID</code>.</p>\n"
    )
    count = 0
    source = iter(groups)
    while chunk := list(islice(source, _AT_ONCE)):
        shown = previews(dict(_files(chunk)))
        for group in chunk:
            count += 1
            page.write(_group(group, count, shown, along))
        yield from chunk
    if not count:
        page.write("<section><h2>None found</h2></section>")
    page.write("</body></html>\n")


def write_calibration(page: TextIO, levels: list[Level]) -> None:
    """Write what each radius finds, with pairs to look at."""
    pairs = [pair for level in levels for pair in level.samples]
    shown = previews({place.content: place.path for *two, _ in pairs for place in two}, 240)
    page.write(_head("What a radius means"))
    page.write(
        "<h1>What a radius means</h1><p>How many pairs of these images differ in no more bits than "
        "the radius, and up to five pairs that the radius before does not have. Go down until "
        "pairs are no longer the same picture: the radius above is yours, for "
        "<code>hashret dedup --radius BITS</code>.</p>\n"
        "<table><tr><th>radius</th><th>pairs</th></tr>"
    )
    page.writelines(f"<tr><td>{level.radius}</td><td>{level.pairs:,}</td></tr>" for level in levels)
    page.write("</table>\n")
    for level in levels:
        figures = "".join(_pair(*pair, shown) for pair in level.samples)
        page.write(
            f"<section><h2>Radius {level.radius}: {level.pairs:,} pairs</h2><div class=row>"
            f"{figures or '<span class=few>none that the radius before does not have</span>'}"
            "</div></section>\n"
        )
    page.write("</body></html>\n")


def _head(title: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n"
    )


def _files(groups: list[Group]) -> Iterator[tuple[bytes, bytes]]:
    for group in groups:
        for place in (group.keep, *(member.place for member in group.members)):
            yield place.content, place.path


def _group(group: Group, number: int, shown: dict[bytes, str], along: Along) -> str:
    others = [along.of(one) for one in group.members]
    size = sum(one.place.size for one in group.members)
    size += sum(file.size for files in others for file in files)
    members = "".join(
        _figure(one.place, _differs(one), "", shown, files)
        for one, files in zip(group.members, others, strict=True)
    )
    count = len(group.members) + sum(map(len, others))
    files = "file" if count == 1 else "files"
    going = any(one.tier != "similar" for one in group.members)
    words = f"{files} to go, {_bytes(size)}" if going else f"similar {files}"
    return (
        f"<section><h2>{number}. {count} {words}</h2>"
        f"<div class=row>{_figure(group.keep, 'stays', 'keep', shown)}{members}</div></section>\n"
    )


def _figure(
    place: Place, tag: str, kind: str, shown: dict[bytes, str], along: Iterable[Companion] = ()
) -> str:
    names = "".join(f"<br>with {_text(os.path.basename(file.path))}" for file in along)
    facts = f"{place.width} x {place.height}, {_bytes(place.size)}, {html.escape(place.format)}"
    return (
        f'<figure class="{kind}"><div class=frame>{_image(place, shown)}</div><figcaption>'
        f"<span class=tag>{html.escape(tag)}</span> <span class=few>· id {place.id}</span><br>"
        f"<b>{_text(os.path.basename(place.path))}</b><br>{facts}<br>"
        f"{_text(os.path.dirname(place.path))}{names}</figcaption></figure>"
    )


def _pair(one: Place, other: Place, distance: int, shown: dict[bytes, str]) -> str:
    frames = "".join(f"<div class=frame>{_image(place, shown)}</div>" for place in (one, other))
    names = "<br>".join(_text(os.path.basename(place.path)) for place in (one, other))
    return (
        f"<figure><div class=pair>{frames}</div><figcaption><span class=tag>{distance} bits"
        f"</span><br>{names}</figcaption></figure>"
    )


def _image(place: Place, shown: dict[bytes, str]) -> str:
    source = shown.get(place.content)
    return f'<img src="{source}" alt="">' if source else "cannot be read"


def _differs(member: Member) -> str:
    words = [member.tier]
    if member.tier in ("near", "similar"):
        words.append(f"{member.distance} bits")
    if member.transform:
        words.append(member.transform.replace("_", " "))
    return ", ".join(words)


def _text(name: bytes) -> str:
    # Bytes that are no UTF-8 are shown as such.
    return html.escape(os.fsdecode(name).encode("utf-8", "backslashreplace").decode())


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
