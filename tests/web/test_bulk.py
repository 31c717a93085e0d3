"""Many groups decided on at once: progress, one undo, and what was cut off goes on."""

from __future__ import annotations

import json
import os

import pytest
from web_site import find_groups, served, write

from hashret.collection import Collection
from hashret.collection.duplicates import decide_each
from hashret.collection.removing import remove
from hashret.web.clearing import duplicates_in
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
            remove(collection.catalogue, duplicates_in(collection, first), batch=-task["mark"])
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
    [{}, {"kind": "delete"}, {"kind": "keep", "tier": "similar"}, {"kind": "keep", "folder": 3}],
)
def test_what_is_wrong_is_refused(client, body):
    assert client.post("/api/bulk", json=body).status_code == 422
