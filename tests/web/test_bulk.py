"""Many groups decided on at once: progress, one undo, and what was cut off goes on."""

from __future__ import annotations

import errno
import json
import os
import shutil

import pytest
from web_site import find_groups, served, write

from hashret.collection import Collection
from hashret.collection.duplicates import decide_each
from hashret.collection.removing import remove
from hashret.collection.removing.journal import Journal
from hashret.web.clearing import Clearing
from hashret.web.groups import GroupTable


def ended(client):
    lines = client.get("/api/bulk/progress").text.splitlines()
    return json.loads(lines[-1])


def files(folder):
    return {
        os.path.relpath(os.path.join(above, name), folder)
        for above, _, names in os.walk(folder)
        for name in names
        if ".hashret" not in above
    }


@pytest.mark.parametrize("kind", ["keep", "not duplicates"])
def test_all_of_a_choice_and_one_undo(own_groups, kind):
    with served(own_groups) as client:
        before = find_groups(client)["groups"]
        assert client.get("/api/bulk").json() is None
        assert client.get("/api/bulk/progress").status_code == 404
        choice = {"tier": "near", "folder": "COPIES"}
        assert client.get("/api/groups", params=choice).json()["open"] == 3
        equal = client.get("/api/groups", params={"tier": "byte-equal"}).json()
        assert (equal["open"], equal["groups"][0]["members"][0]["tier"]) == (1, "byte-equal")
        assert client.post("/api/bulk", json={"kind": kind, **choice}).status_code == 201
        after = ended(client)
        assert (after["state"], after["done"], after["total"]) == ("done", 3, 3)
        # Files of equal bytes are one image, of which nothing can be said.
        count = 3 if kind == "keep" else 2
        assert client.get("/api/groups").json()["open"] == 3 - count
        (decision,) = client.get("/api/decisions").json()["decisions"]
        assert (decision["kind"], decision["count"]) == (kind, count)
        assert client.post("/api/bulk/undo").status_code == 201
        assert ended(client)["state"] == "taken back"
        assert client.post("/api/bulk/undo").status_code == 409
        assert client.get("/api/decisions").json()["decisions"] == []
        assert find_groups(client)["groups"] == before


def test_one_of_them_takes_all_back(own_groups):
    with served(own_groups) as client:
        before = find_groups(client)["groups"]
        client.post("/api/bulk", json={"kind": "keep"})
        ended(client)
        (decision,) = client.get("/api/decisions").json()["decisions"]
        client.delete(f"/api/decisions/{decision['decision']}")
        assert find_groups(client)["groups"] == before


def test_copies_go_to_the_quarantine_and_come_back(own_groups):
    there = files(own_groups)
    with served(own_groups) as client:
        before = find_groups(client)
        client.post("/api/bulk", json={"kind": "quarantine"})
        after = ended(client)
        assert (after["state"], after["files"], after["left"]) == ("done", 3, 0)
        assert len(files(own_groups)) == len(there) - 3
        assert client.get("/api/groups").json()["groups"] == []
        client.post("/api/bulk/undo")
        back = ended(client)
        assert (back["state"], back["files"], back["left"]) == ("taken back", 3, 0)
        assert files(own_groups) == there
        assert find_groups(client)["groups"] == before["groups"]


def test_files_of_two_roots_that_are_shown_alike_are_told_apart(tmp_path):
    roots = [tmp_path / above / "Pictures" for above in ("backup", "home")]
    for number in range(3):
        write(roots[0] / f"{number}.png", number)
    shutil.copytree(roots[0], roots[1])
    with Collection.create(roots, store=tmp_path / "store") as collection:
        collection.update(["perceptual"], workers=1)
    there = files(tmp_path)
    with served(tmp_path / "store") as client:
        keep = find_groups(client)["groups"][0]["keep"]
        assert (keep["folder"], keep.keys() & {"root", "path"}) == ("Pictures", set())
        client.post("/api/bulk", json={"kind": "quarantine"})
        after = ended(client)
        assert (after["state"], after["files"], after["left"]) == ("done", 3, 0)
        assert len({os.path.basename(path) for path in files(tmp_path) if "png" in path}) == 3
        client.post("/api/bulk/undo")
        assert ended(client)["files"] == 3
        assert {path for path in there if "png" in path} <= files(tmp_path)


def test_groups_of_which_a_file_was_left_stay_open_and_it_is_said_why(own_groups):
    with served(own_groups) as client:
        groups = find_groups(client)["groups"]
        equal = next(one for one in groups if one["members"][0]["tier"] == "byte-equal")
        name = equal["members"][0]["name"]
        for folder in ("2024", "copies"):
            (own_groups / folder / name).write_bytes(b"something else")
        client.post("/api/bulk", json={"kind": "quarantine"})
        after = ended(client)
        assert (after["state"], after["done"], after["files"], after["left"]) == ("done", 2, 2, 1)
        assert "has changed since" in after["reason"]
        assert str(own_groups.parent) not in after["reason"]
        (group,) = find_groups(client)["groups"]
        assert group["keep"]["name"] == name
        client.post("/api/bulk/undo")
        assert ended(client)["files"] == 2
        assert len(find_groups(client)["groups"]) == 3


def test_a_group_of_which_some_went_is_found_anew(own_groups):
    for name in ("more", "most"):
        shutil.copy(own_groups / "copies" / "3.png", own_groups / "copies" / f"{name}.png")
    with Collection.change(own_groups) as collection:
        collection.update(workers=1)
    with served(own_groups) as client:
        choice = {"tier": "byte-equal"}
        find_groups(client)
        (before,) = client.get("/api/groups", params=choice).json()["groups"]
        last = before["members"][-1]["name"]
        path = own_groups / before["members"][-1]["folder"].partition("/")[2] / last
        data = path.read_bytes()
        path.write_bytes(b"something else")
        client.post("/api/bulk", json={"kind": "quarantine", **choice})
        after = ended(client)
        assert (after["done"], after["files"], after["left"]) == (0, 2, 1)
        find_groups(client)
        (rest,) = client.get("/api/groups", params=choice).json()["groups"]
        assert [one["name"] for one in rest["members"]] == [last]
        path.write_bytes(data)
        client.post("/api/bulk/undo")
        assert ended(client)["files"] == 2
        find_groups(client)
        (again,) = client.get("/api/groups", params=choice).json()["groups"]
        assert again["files"] == before["files"]


def test_take_back_leaves_what_another_command_moved(own_groups):
    with served(own_groups) as client:
        find_groups(client)
        site = client.app._application.state.site
        changed = {path: path.read_bytes() for path in (own_groups / "copies").iterdir()}
        for path in changed:
            path.write_bytes(b"something else")
        client.post("/api/bulk", json={"kind": "quarantine"})
        assert ended(client)["files"] == 0
        for path, data in changed.items():
            path.write_bytes(data)
        with Collection.change(own_groups) as collection:
            other = remove(
                collection.catalogue,
                Clearing(collection).duplicates(site.groups.table.page(9)),
            )
        assert other.files == 3
        there = files(own_groups)
        client.post("/api/bulk/undo")
        back = ended(client)
        assert (back["state"], back["files"]) == ("taken back", 0)
        assert back["reason"] == "nothing was moved"
        assert files(own_groups) == there


def test_a_full_disk_closes_no_group(own_groups, monkeypatch):
    def plan(journal, operations):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with served(own_groups) as client:
        before = find_groups(client)["groups"]
        monkeypatch.setattr(Journal, "plan", plan)
        client.post("/api/bulk", json={"kind": "quarantine"})
        after = ended(client)
        assert (after["state"], after["done"], after["files"]) == ("failed", 0, 0)
        assert "No space" in after["reason"]
        assert find_groups(client)["groups"] == before


def seen(client):
    groups = find_groups(client)
    return {name: groups[name] for name in ("generation", "open")}


def add_copy(collection, folder):
    """Add a file of the bytes of another: a group more, and no code."""
    shutil.copy(folder / "2024" / "5.png", folder / "copies" / "5.png")
    collection.update(workers=1)


def test_groups_that_were_not_shown_are_left_alone(own_groups):
    with served(own_groups) as client:
        before = seen(client)
        fewer = {**before, "open": before["open"] - 1}
        assert client.post("/api/bulk", json={"kind": "keep", **fewer}).status_code == 409
        with Collection.change(own_groups) as collection:
            add_copy(collection, own_groups)
        answer = client.post("/api/bulk", json={"kind": "keep", **before})
        assert (answer.status_code, answer.json()["detail"].partition(";")[0]) == (
            409,
            "there are other groups than those that were shown",
        )
        now = seen(client)
        assert (before["open"], now["open"]) == (3, 4)
        assert now["generation"] != before["generation"]
        assert client.get("/api/decisions").json()["decisions"] == []
        assert client.post("/api/bulk", json={"kind": "keep", **now}).status_code == 201
        assert ended(client)["done"] == 4


def test_groups_that_come_while_it_waits_are_left_alone(own_groups):
    with served(own_groups) as client:
        before = seen(client)
        with Collection.change(own_groups) as collection:
            # Which it waits for.
            assert client.post("/api/bulk", json={"kind": "keep", **before}).status_code == 201
            add_copy(collection, own_groups)
        after = ended(client)
        assert (after["state"], after["done"]) == ("stopped", 0)
        assert "other groups" in after["reason"]
        assert seen(client)["open"] == 4


def cut_off(folder, kind, tell_table):
    """Leave a store as a server does that is killed after the first of three groups."""
    with served(folder) as client:
        find_groups(client)
        client.post("/api/bulk", json={"kind": kind})
        ended(client)
        client.post("/api/bulk/undo")
        ended(client)
        find_groups(client)
        table = GroupTable(client.app._application.state.site.groups.table.path)
        path = client.app._application.state.site.bulk._path
    with open(path) as file:
        task = json.load(file)
    first = table.page(1)
    with Collection.change(folder) as collection:
        if kind == "quarantine":
            wanted = Clearing(collection).duplicates(first)
            remove(collection.catalogue, wanted, batch=-task["mark"])
        else:
            decide_each(collection.catalogue, kind, [first[0].images], task["mark"])
    if tell_table:
        table.close_groups([first[0].number], task["mark"])
    table.close()
    task |= {"state": "running", "undoing": False, "done": 0, "total": 3, "files": 0}
    with open(path, "w") as file:
        json.dump(task, file)


@pytest.mark.parametrize("kind", ["keep", "quarantine"])
@pytest.mark.parametrize("tell_table", [True, False])
def test_what_was_cut_off_goes_on_and_is_one(own_groups, kind, tell_table):
    there = files(own_groups)
    cut_off(own_groups, kind, tell_table)
    with served(own_groups) as client:
        after = ended(client)
        assert (after["state"], after["done"]) == ("done", 3)
        assert client.get("/api/groups").json()["open"] == 0
        if kind == "quarantine":
            assert len(files(own_groups)) == len(there) - 3
        else:
            (decision,) = client.get("/api/decisions").json()["decisions"]
            assert decision["count"] == 3
        client.post("/api/bulk/undo")
        assert ended(client)["state"] == "taken back"
        assert files(own_groups) == there
        assert len(find_groups(client)["groups"]) == 3


def test_it_does_not_go_on_with_another_collection(own_groups):
    cut_off(own_groups, "keep", tell_table=True)
    write(own_groups / "new.png", 99)
    with Collection.change(own_groups) as collection:
        collection.update(workers=1)
    with served(own_groups) as client:
        after = ended(client)
        assert (after["state"], after["reason"]) == ("stopped", "the collection has changed since")
        client.post("/api/bulk/undo")
        assert ended(client)["state"] == "taken back"
        assert client.get("/api/decisions").json()["decisions"] == []


def test_while_it_runs(own_groups):
    with served(own_groups) as client:
        find_groups(client)
        with Collection.change(own_groups):
            # Which it waits for.
            assert client.post("/api/bulk", json={"kind": "keep"}).status_code == 201
            assert client.post("/api/bulk", json={"kind": "keep"}).status_code == 409
            assert client.post("/api/bulk/undo").status_code == 409
            answer = client.post("/api/decisions", json={"kind": "keep", "images": [1]})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert client.get("/api/bulk").json()["state"] == "running"
            client.delete("/api/bulk")
            assert ended(client)["state"] == "stopped"
        assert client.get("/api/groups").json()["open"] == 3


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "delete"},
        {"kind": "keep", "tier": "similar"},
        {"kind": "keep", "folder": 3},
        {"kind": "keep", "open": -1},
        {"kind": "keep", "generation": "x" * 101},
    ],
)
def test_what_is_wrong_is_refused(client, body):
    assert client.post("/api/bulk", json=body).status_code == 422
