"""The JSON API: what it answers of a collection, and how it refuses."""

from __future__ import annotations

import os
import shutil
import time

import numpy as np
import pytest
from web_site import find_groups, served, write

from hashret.collection import Collection
from hashret.collection.filters import parse_filter
from hashret.web import Settings
from hashret.web.folders import folders_of
from hashret.web.pictures import SIDES, Pictures
from hashret.web.thumbnails import kept_thumbnail


def until(ask, seconds=120.0):
    """Ask until there is an answer."""
    end = time.monotonic() + seconds
    while (found := ask()) is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_info_and_health(client):
    assert client.get("/health").json() == {"status": "fine"}
    found = client.get("/api/info").json()
    assert found["images"] == 11
    assert found["files"] == {"present": 12, "skipped": 2}
    assert found["encoders"] == [{"name": "perceptual", "bits": 256, "texts": False}]


def test_search_by_id_finds_the_copy_first(client):
    images = client.get("/api/images", params={"where": "name = '1.png'"}).json()["images"]
    (image,) = images
    assert (image["name"], image["folder"].rpartition("/")[2]) == ("1.png", "2024")
    found = client.get(f"/api/search/{image['id']}", params={"k": 3}).json()
    first, second, _ = found["results"]
    assert (first["id"], first["same"], first["distance"]) == (image["id"], True, 0)
    assert second["name"] == "small 1.jpg"
    assert "looks like a copy" in second["why"]
    near = client.get(f"/api/search/{image['id']}", params={"radius": 0}).json()
    assert len(near["results"]) == 1
    params = {"where": 'folder = "copies"'}
    found = client.get(f"/api/search/{image['id']}", params=params).json()["results"]
    assert next(one["name"] for one in found) == "small 1.jpg"
    assert len(found) == 3


def test_search_by_upload_and_none_of_it_stays(client, folder):
    data = (folder / "2024" / "2.png").read_bytes()
    for _ in range(2):
        found = client.post("/api/search/upload", params={"k": 1}, content=data).json()
        assert [(one["name"], one["same"]) for one in found["results"]] == [("2.png", True)]
    site = client.app._application.state.site
    assert os.listdir(site.folder.name) == []


def test_images_by_pages(client):
    seen, after = [], None
    while True:
        params = {"limit": 4} | ({"after": after} if after else {})
        page = client.get("/api/images", params=params).json()
        seen += [one["id"] for one in page["images"]]
        if (after := page["after"]) is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 11


def test_names_are_fit_to_be_shown(client):
    found = client.get("/api/images", params={"where": "name = '<b*'"}).json()["images"]
    assert [one["name"][:26] for one in found] == ["<b onmouseover=x>&\\udcff\\n"]


def test_pictures_are_made_of_pixels_alone(client):
    (image,) = client.get("/api/images", params={"where": "name = '1.png'"}).json()["images"]
    for size in ("thumbnail", "picture"):
        answer = client.get(f"/images/{image['id']}/{size}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content.startswith(b"\xff\xd8")
        assert answer.headers["cache-control"] == "private, no-cache"
    details = client.get(f"/api/images/{image['id']}").json()
    assert (details["format"], details["width"], details["height"]) == ("PNG", 160, 128)
    assert [place["state"] for place in details["places"]] == ["present"]


def test_a_picture_that_the_client_has_is_not_sent_again(own_folder, monkeypatch):
    def tags(client):
        found = client.get("/api/images").json()["images"]
        addresses = [f"/images/{one['id']}/{size}" for one in found for size in SIDES]
        return {address: client.get(address).headers["etag"] for address in addresses}

    with served(own_folder) as client:
        before = tags(client)
        assert len(set(before.values())) == len(before) == 22
        # It is not even looked for.
        monkeypatch.setattr(Pictures, "jpeg", None)
        for address, tag in before.items():
            for known in (tag, f'"x", W/{tag}'):
                answer = client.get(address, headers={"if-none-match": known})
                assert (answer.status_code, answer.content) == (304, b"")
                assert answer.headers["etag"] == tag
                assert answer.headers["cache-control"] == "private, no-cache"
        monkeypatch.undo()
    # Other pictures at the same addresses.
    shutil.rmtree(own_folder / ".hashret")
    for number in range(8):
        write(own_folder / "2024" / f"{number}.png", 30 + number)
    with Collection.create([own_folder]) as collection:
        collection.update(["perceptual"], workers=1)
    with served(own_folder) as client:
        (image,) = client.get("/api/images", params={"where": "name = '1.png'"}).json()["images"]
        address = f"/images/{image['id']}/thumbnail"
        answer = client.get(address, headers={"if-none-match": before[address]})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")


def test_thumbnails_of_the_latest_are_made_ahead(own_folder):
    with served(own_folder, Settings(thumbnails=9)) as client:
        assert client.get("/api/info").status_code == 200

        def made():
            found = list((own_folder / ".hashret" / "thumbnails").rglob("*-360.jpg"))
            return found if len(found) >= 9 else None

        assert len(until(made)) == 9
        write(own_folder / "new.png", 77)
        with Collection.change(own_folder) as collection:
            collection.update(workers=1)
            ((content,),) = collection.catalogue.execute("SELECT content FROM images WHERE id = 12")

        def kept():
            client.get("/api/info")
            return kept_thumbnail(str(own_folder / ".hashret"), content)

        assert until(kept) == client.get("/images/12/thumbnail").content


def test_a_picture_that_is_gone_or_another_is_none(own_folder):
    with served(own_folder) as client:
        by_name = {one["name"]: one["id"] for one in client.get("/api/images").json()["images"]}
        (own_folder / "2024" / "5.png").write_bytes((own_folder / "2024" / "6.png").read_bytes())
        (own_folder / "2024" / "7.png").unlink()
        for name in ("5.png", "7.png"):
            assert client.get(f"/images/{by_name[name]}/thumbnail").status_code == 404
        kept = client.get(f"/images/{by_name['6.png']}/thumbnail")
        assert kept.status_code == 200
        (own_folder / "2024" / "6.png").unlink()
        # It was kept in the store.
        assert client.get(f"/images/{by_name['6.png']}/thumbnail").content == kept.content


def test_what_is_indexed_later_is_found(own_folder):
    with served(own_folder) as client:
        before = client.get("/api/info").json()["images"]
        write(own_folder / "new.png", 77)
        with Collection.change(own_folder) as collection:
            collection.update(workers=1)
        assert client.get("/api/info").json()["images"] == before + 1
        (image,) = client.get("/api/images", params={"where": "name = new.png"}).json()["images"]
        found = client.get(f"/api/search/{image['id']}", params={"k": 1}).json()
        assert found["results"][0]["id"] == image["id"]


def test_groups_are_decided_and_opened_again(own_groups):
    with served(own_groups) as client:
        found = find_groups(client)
        assert (found["open"], found["known"]) == (3, 3)
        saved = [one["saved"] for one in found["groups"]]
        assert saved == sorted(saved, reverse=True)
        near = next(one for one in found["groups"] if one["members"][0]["tier"] == "near")
        ids = [near["keep"]["id"], *(one["id"] for one in near["members"])]
        body = {"kind": "not duplicates", "images": ids, "group": near["number"]}
        for wrong in ({"images": [*ids, 10]}, {"images": ids[:1], "kind": "keep"}, {"group": 77}):
            assert client.post("/api/decisions", json=body | wrong).status_code == 409
        assert client.get("/api/decisions").json()["decisions"] == []
        answer = client.post("/api/decisions", json=body)
        assert answer.status_code == 201
        decision = answer.json()["decision"]
        after = find_groups(client)
        assert near["number"] not in [one["number"] for one in after["groups"]]
        assert client.get(f"/api/groups/{near['number']}").json() == near
        (known,) = client.get("/api/decisions").json()["decisions"]
        assert (known["decision"], known["images"]) == (decision, sorted(ids))
        assert client.delete(f"/api/decisions/{decision}").status_code == 200
        assert find_groups(client)["groups"] == found["groups"]
        assert client.delete(f"/api/decisions/{decision}").status_code == 404


def test_another_file_of_a_group_is_preferred(own_groups):
    with served(own_groups) as client:
        found = find_groups(client)
        near = next(one for one in found["groups"] if one["members"][0]["tier"] == "near")
        better, worse = near["keep"]["id"], near["members"][0]["id"]
        asked = {"kind": "prefer", "images": [worse], "group": near["number"]}
        for wrong in ({"images": [worse, 10]}, {"group": 77}):
            assert client.post("/api/decisions", json=asked | wrong).status_code == 409
        decision = client.post("/api/decisions", json=asked).json()["decision"]
        now = client.get(f"/api/groups/{near['number']}").json()
        assert now["keep"]["id"] == worse
        assert better in [one["id"] for one in now["members"]]
        # The table is as it would be found.
        after = find_groups(client)
        assert (after["open"], after["finding"]) == (found["open"], False)
        assert client.delete(f"/api/decisions/{decision}").status_code == 200
        again = find_groups(client)["groups"]
        assert {one["keep"]["id"] for one in again} == {
            one["keep"]["id"] for one in found["groups"]
        }


def test_groups_are_kept_from_one_start_to_the_next(own_folder):
    with served(own_folder) as client:
        before = find_groups(client)["groups"]
    with served(own_folder) as client:
        found = client.get("/api/groups").json()
        assert (found["groups"], found["finding"]) == (before, False)


def test_a_store_that_cannot_be_written_is_served(own_folder):
    # Files where its folders would be: root may write what is read-only.
    for name in ("web", "thumbnails"):
        (own_folder / ".hashret" / name).write_text("")
    with served(own_folder) as client:
        assert find_groups(client)["known"] == 3
        for _ in range(2):
            assert client.get("/images/1/thumbnail").status_code == 200

        def ask():
            answer = client.get("/api/map")
            return None if answer.status_code == 202 else answer

        assert len(until(ask).content) == 8 * 11
    assert (own_folder / ".hashret" / "web").read_text() == ""


def test_another_program_that_changes_the_collection_is_told(own_folder):
    with served(own_folder) as client, Collection.change(own_folder):
        answer = client.post("/api/decisions", json={"kind": "keep", "images": [1]})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert str(own_folder) not in answer.text


def test_skipped_folders_and_map(client):
    found = client.get("/api/skipped").json()
    assert {one["name"] for one in found["files"]} == {"damaged.jpg", "gone.png"}
    assert all(one["reason"] for one in found["files"])
    rows = {one["name"]: one for one in client.get("/api/folders").json()}
    assert rows["2024"]["files"] == 8
    where = rows["2024"]["filter"]
    assert len(client.get("/api/images", params={"where": where}).json()["images"]) == 8

    def ask():
        answer = client.get("/api/map")
        return None if answer.status_code == 202 else answer

    points = np.frombuffer(until(ask).content, [("id", "<u4"), ("x", "<u2"), ("y", "<u2")])
    assert sorted(points["id"]) == sorted(
        one["id"] for one in client.get("/api/images").json()["images"]
    )


def test_folders_of_any_name(tmp_path):
    names = [b"", b"a b", b"a b/c", b"a b/c\xff/d", b"\xff", b"'\"*?[", "größe".encode(), b"a b\n"]
    for seed, name in enumerate(names):
        os.makedirs(os.path.join(os.fsencode(tmp_path), name), exist_ok=True)
        write(tmp_path / "one.png", seed)
        to = os.path.join(os.fsencode(tmp_path), name, b"\xfe %d.png" % seed)
        os.rename(tmp_path / "one.png", to)
    with Collection.create([tmp_path]) as collection:
        collection.update(["perceptual"], workers=1)
        rows = folders_of(collection)
        assert len(rows) == len(names)
        assert {row["files"] for row in rows} == {1}
        assert len({row["covers"][0] for row in rows}) == len(names)
        for row in rows:
            if row["filter"]:
                condition, values = parse_filter(row["filter"])
                query = f"SELECT id FROM images WHERE {condition}"
                found = [id for (id,) in collection.catalogue.execute(query, values)]
                assert row["covers"][0] in found
    with served(tmp_path) as client:
        assert len(client.get("/api/folders").json()) == len(names)
        write(tmp_path / "zz" / "one.png", 99)
        with Collection.change(tmp_path) as collection:
            collection.update(workers=1)
        assert len(client.get("/api/folders").json()) == len(names) + 1
    with served(tmp_path) as client:
        assert len(client.get("/api/folders").json()) == len(names) + 1


def test_metrics_name_routes_not_addresses(client):
    client.get("/api/search/1")
    client.get("/no/such/address")
    text = client.get("/metrics").text
    assert 'hashret_requests_total{route="/api/search/{id}",status="200"}' in text
    assert "no/such" not in text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/search/0", 422),
        ("/api/search/-1", 422),
        ("/api/search/99999999999999999999", 422),
        ("/api/search/9223372036854775807", 404),
        ("/api/search/1?k=0", 422),
        ("/api/search/1?k=1000000", 422),
        ("/api/search/1?radius=-1", 422),
        ("/api/search/1?where=widht+>+3", 400),
        ("/api/search/1?where=" + "(" * 1000, 400),
        ("/api/search/1?where=" + "x" * 3000, 422),
        ("/api/search/1?where=name+%3D+%00", 200),
        ("/api/search/1?encoder=none", 409),
        ("/api/search/text?text=cat", 400),
        ("/api/images/77", 404),
        ("/images/77/thumbnail", 404),
        ("/images/1/original", 422),
        ("/api/groups?after=1-2-3", 422),
        ("/api/groups?after=", 422),
        ("/api/groups/77", 404),
        ("/api/skipped?state=other", 422),
    ],
)
def test_what_is_wrong_is_refused(client, path, status):
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert isinstance(answer.json()["detail"], str)


def test_an_empty_collection_is_no_error(tmp_path):
    (tmp_path / "none").mkdir()
    Collection.create([tmp_path / "none"]).close()
    with served(tmp_path / "none") as client:
        assert client.get("/api/info").json()["default"] is None
        assert client.get("/api/images").json() == {"images": [], "after": None}
        assert client.get("/api/map").content == b""
        assert client.get("/api/folders").json() == []
        assert client.get("/api/search/1").status_code == 409
        assert client.post("/api/search/upload", content=b"x").status_code in (409, 422)
        assert until(lambda: client.get("/api/groups").json()["finding"] or True)


def test_openapi_tells_every_answer(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/api/search/{id}", "/api/search/upload", "/api/groups", "/images/{id}/{size}"} <= {
        *paths
    }
    assert not any("path" in one for one in paths)
