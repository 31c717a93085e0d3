"""``hashret info``: what a collection holds, what is installed, and what the engine uses."""

from __future__ import annotations

import os
import shlex
from typing import Any

from .options import AsJson, Store
from .output import json_path, many, print_json, print_line, shown

__all__ = ["info"]


def info(store: Store = None, json: AsJson = False) -> None:
    """Print what the collection here holds, if there is one, and what is installed.

    Examples:

      hashret info

      hashret info --json
    """
    from ..experiments.info import describe

    facts = describe()
    collection = _collection(store)
    if json:
        row: dict[str, Any] = {"machine": dict(facts)}
        if collection is not None:
            roots = [{**root, **json_path(root["path"])} for root in collection["roots"]]
            names = json_path(os.fsencode(collection["store"]), "store")
            row["collection"] = {**collection, **names, "roots": roots}
        print_json(row)
        return
    told = [("collection", "none here, nor in a folder above; hashret index makes one")]
    if collection is not None:
        told = _told(collection)
    facts = [*told, ("", ""), *facts]
    width = max(len(name) for name, _ in facts)
    for name, fact in facts:
        print_line(f"{name:<{width}}  {fact}".rstrip())


def _collection(store: Any) -> dict[str, Any] | None:
    from ..collection.opening import open_collection
    from ..collection.store import find_store
    from ..collection.summary import summary
    from ..errors import HashretError

    if store is None:
        try:
            store = find_store()
        except HashretError:
            return None
    with open_collection(store) as collection:
        return summary(collection)


def _told(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return names and facts of a collection."""
    facts = [("collection", shown(found["store"]))]
    for root in found["roots"]:
        reach = "" if root["reachable"] else ", cannot be reached"
        facts.append(("folder", f"{shown(root['path'])}: {_counts(root['files'])}{reach}"))
    facts += [("images", f"{found['images']:,}"), ("files", _counts(found["files"]))]
    for one in found["encoders"]:
        active = "" if one["active"] else ", not all yet"
        facts.append(
            ("encoder", f"{one['name']}: {one['codes']:,} codes of {one['bits']} bits{active}")
        )
        if one["outgrown"]:
            again = f"hashret index --encoder {shlex.quote(one['name'])} --re-encode"
            facts.append(("", f"fitted to far fewer images than there are now; better: {again}"))
    settings = found["settings"]
    said = [f"leaves out {shown(glob)}" for glob in settings["exclude"]]
    said += [name.replace("_", " ") for name in ("hidden", "one_file_system") if settings[name]]
    if said:
        facts.append(("settings", ", ".join(said)))
    facts.append(("on the disk", f"{sum(found['bytes'].values()) / 1e6:,.1f} MB"))
    facts.append(("last update", found["updated"] or "none yet"))
    return facts


def _counts(files: dict[str, int]) -> str:
    return (
        ", ".join(
            many(count, "other file") if state == "other" else f"{count:,} {state}"
            for state, count in files.items()
            if count
        )
        or "none"
    )
