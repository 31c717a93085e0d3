"""Groups of files that look alike: what stays, what is named how, and what a person decided."""

from __future__ import annotations

import csv
import io
import os
import shutil

import numpy as np
import pytest
from collection_pictures import read
from PIL import Image, ImageEnhance, ImageOps, features
from removing_collection import OLD_NS, contents, files_in, write

from hashret import ParameterError
from hashret.collection import Collection
from hashret.collection.duplicates import (
    Rules,
    calibrate,
    decide,
    duplicates_of,
    find_duplicates,
    plain_images,
    write_calibration,
    write_groups,
    write_table,
)
from hashret.collection.duplicates.mirrored import TRANSFORMS, transformed
from hashret.collection.encoders import new_encoder
from hashret.collection.encoders.perceptual import Perceptual
from hashret.collection.removing import remove, undo
from hashret.collection.updating import update

T = Image.Transpose


def scene(seed: int, size=(320, 240)) -> Image.Image:
    """A picture with something to see at every scale."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
    fine = Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8))
    return Image.blend(small.resize(size, Image.Resampling.BICUBIC), fine, 0.1)


def save(image: Image.Image, path, mtime_ns: int = OLD_NS, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    return root


def bring_up(collection, *names):
    """As ``collection.update`` does, with the pictures read in this process."""
    wanted = [new_encoder(one, collection.store) for one in {*names, *collection.encoders}]
    return update(collection.catalogue, read, wanted)


def found(*roots, **options):
    """Names of the keeper, and of the members with tier and transform."""
    with Collection.create(roots) as collection:
        bring_up(collection, "perceptual")
        encoder = collection.encoders["perceptual"]
        groups = find_duplicates(collection.catalogue, encoder, Rules(**options))
        return {
            name(one.keep): sorted((name(m.place), m.tier, m.transform) for m in one.members)
            for one in groups
        }


def name(place):
    return os.path.basename(os.fsdecode(place.path))


def test_tiers(root):
    image = scene(1)
    save(image, root / "a.png")
    shutil.copy2(root / "a.png", root / "b.png")
    save(image, root / "c.bmp")
    save(ImageEnhance.Brightness(image).enhance(1.1), root / "d.jpg", quality=60)
    save(scene(2), root / "other.png")
    # The bitmap has the most bytes.
    assert found(root) == {
        "c.bmp": [
            ("a.png", "pixel-equal", None),
            ("b.png", "pixel-equal", None),
            ("d.jpg", "near", None),
        ]
    }


def test_without_codes_there_are_files_of_equal_bytes(root):
    save(scene(1), root / "a.png")
    shutil.copy2(root / "a.png", root / "b.png")
    save(scene(1), root / "c.bmp")
    with Collection.create([root]) as collection:
        bring_up(collection, "perceptual")
        (group,) = find_duplicates(collection.catalogue, None)
        assert (name(group.keep), [name(m.place) for m in group.members]) == ("a.png", ["b.png"])


def test_turned_and_mirrored_copies_say_how(root):
    save(scene(1), root / "a.png")
    for kind in T:
        save(scene(1).transpose(kind), root / f"{kind.name}.jpg", quality=80)
    assert found(root) == {}
    ((keep, members),) = found(root, transforms=True, radius=48).items()
    assert keep == "a.png"
    assert members == sorted((f"{t.name}.jpg", "near", t.name.lower()) for t in T)


def test_copies_with_borders_are_near_where_there_are_codes_without_them(root):
    save(scene(1), root / "a.png")
    frame = ImageOps.expand(scene(1), 24, "white")
    save(frame, root / "frame.jpg", quality=85)
    screen = Image.new("RGB", (360, 640))
    screen.paste(scene(1), (20, 200))
    save(screen, root / "screen.jpg", quality=85)
    assert found(root) == {}
    with Collection.change(root) as collection:
        bring_up(collection, "borderless")
        encoders = collection.encoders
        (group,) = find_duplicates(
            collection.catalogue, encoders["perceptual"], inner=encoders["borderless"]
        )
    # Though it has the fewest pixels.
    assert name(group.keep) == "a.png"
    assert sorted(name(m.place) for m in group.members) == ["frame.jpg", "screen.jpg"]


def test_codes_of_turned_pictures_are_those_of_the_turned_picture():
    encoder = Perceptual()
    for seed in range(5):
        image = scene(seed)
        codes, _ = encoder.encode([np.asarray(image)])
        for row, kind in zip(transformed(codes), TRANSFORMS, strict=True):
            turned = image if kind is None else image.transpose(T[kind.upper()])
            own, _ = encoder.encode([np.asarray(turned)])
            assert np.bitwise_count(own ^ row).sum() <= 40


def test_groups_do_not_chain(root):
    """Each member is within the radius of the keeper, whatever lies between."""
    with Collection.create([root]) as collection:
        for number in range(12):
            save(scene(number), root / f"{number}.png")
        bring_up(collection, "perceptual")
        catalogue, encoder = collection.catalogue, collection.encoders["perceptual"]
        line = np.packbits(np.tri(12, 256, -1, bool).repeat(1, 0), axis=1)
        for image, code in enumerate(line, 1):
            catalogue.execute("UPDATE codes SET code = ? WHERE image = ?", (code.tobytes(), image))
        for radius in (0, 1, 2, 5):
            seen = set()
            for group in find_duplicates(catalogue, encoder, Rules(radius=radius)):
                for one in (group.keep, *(m.place for m in group.members)):
                    assert one.id not in seen
                    seen.add(one.id)
                    assert abs(one.id - group.keep.id) <= radius
            assert len(seen) >= 12 * (radius > 0) - 1 - radius


@pytest.mark.parametrize(
    ("options", "keeper"),
    [
        ({}, "large.jpg"),
        ({"keep": ["largest"]}, "heavy.bmp"),
        ({"keep": ["oldest"]}, "old.jpg"),
        ({"keep": ["under:{root}/album"]}, "album.jpg"),
        ({"keep": ["under:{root}/none", "oldest"]}, "old.jpg"),
        ({"keep_roots": ["{root}/album"], "keep": ["oldest"]}, "album.jpg"),
    ],
)
def test_what_is_kept(root, options, keeper):
    save(scene(1), root / "heavy.bmp")
    save(scene(1).resize((400, 300)), root / "large.jpg", quality=50)
    save(scene(1), root / "old.jpg", OLD_NS - 10**15, quality=50)
    save(scene(1), root / "album" / "album.jpg", quality=40)
    (root / "none").mkdir()
    given = {key: [one.format(root=root) for one in value] for key, value in options.items()}
    ((keep, members),) = found(root, **given).items()
    assert keep == keeper
    assert len(members) == 3


@pytest.mark.parametrize("name", ["a (1)", "a - Copy", "Copy of a", "a_copy 2", "a copy (3)"])
def test_of_equal_files_the_one_that_is_not_named_as_a_copy_stays(root, name):
    save(scene(1), root / f"{name}.jpg", OLD_NS - 10**15)
    shutil.copyfile(root / f"{name}.jpg", root / "photocopy 5.jpg")
    assert found(root) == {"photocopy 5.jpg": [(f"{name}.jpg", "byte-equal", None)]}


def test_what_is_under_a_kept_root_is_never_a_member(root, tmp_path):
    archive = tmp_path / "archive"
    for number in range(2):
        save(scene(1), archive / f"{number}.jpg", quality=40 + number)
    save(scene(1).resize((400, 300)), root / "large.jpg")
    shutil.copy2(archive / "1.jpg", root / "copy.jpg")
    ((keep, members),) = found(root, archive, keep_roots=[archive]).items()
    assert keep == "1.jpg"
    assert [one for one, *_ in members] == ["copy.jpg", "large.jpg"]


def test_only_folders_that_are_asked_for_take_part(root, tmp_path):
    archive = tmp_path / "archive"
    save(scene(1).resize((400, 300)), root / "best.jpg")
    save(scene(1), root / "camera" / "1.jpg", quality=60)
    save(scene(1), root / "camera" / "old" / "2.jpg", quality=50)
    save(scene(1), archive / "3.jpg", quality=40)
    # The same bytes inside and outside, and inside alone.
    save(scene(2), root / "camera" / "a.jpg")
    shutil.copy2(root / "camera" / "a.jpg", root / "a.jpg")
    save(scene(3), root / "camera" / "b.jpg")
    shutil.copy2(root / "camera" / "b.jpg", root / "camera" / "old" / "c.jpg")
    # A folder of nearly the same name, and one inside another that is asked for, too.
    save(scene(1), root / "camera2" / "4.jpg", quality=30)
    camera, old = root / "camera", root / "camera" / "old"
    inside = {"1.jpg": [("2.jpg", "near", None)], "b.jpg": [("c.jpg", "byte-equal", None)]}
    assert found(root, archive, under=[camera]) == inside
    assert found(root, archive, under=[camera, old]) == inside
    assert found(root, archive, under=[old]) == {}
    # With an archive that is never touched: what of the folder is in it.
    members = [("1.jpg", "near", None), ("2.jpg", "near", None)]
    kept = found(root, archive, under=[camera], keep_roots=[archive])
    assert kept == {"3.jpg": members, "b.jpg": inside["b.jpg"]}
    assert found(root, archive, under=[camera], keep=["under:" + str(old)])["2.jpg"]


def test_plain_pictures_of_a_folder(root):
    for name in ("in/1", "in/2", "out/3"):
        save(Image.new("RGB", (300, 200), (250, 250, 240 + int(name[-1]))), root / f"{name}.png")
    shutil.copy2(root / "in" / "1.png", root / "also.png")
    found(root)
    with Collection.open(root) as collection:
        rules = Rules(under=[root / "in"])
        plain = plain_images(collection.catalogue, collection.encoders["perceptual"], rules)
        paths = [os.path.relpath(path, os.fsencode(root)) for _, path, _ in plain]
    assert sorted(paths) == [b"in/1.png", b"in/2.png"]


def test_scope(root, tmp_path):
    other = tmp_path / "other"
    save(scene(1), root / "a.png")
    save(scene(1), root / "b.jpg")
    save(scene(1), other / "c.jpg", quality=50)
    assert found(root, other, scope="within") == {"a.png": [("b.jpg", "near", None)]}
    assert found(root, other, scope="across") == {"a.png": [("c.jpg", "near", None)]}
    assert len(found(root, other)["a.png"]) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scope": "some"}, "scope: expected all, within, across, got 'some'"),
        ({"keep": ["smallest"]}, "keep: expected largest, oldest or under:PATH, got 'smallest'"),
        ({"radius": -1}, "radius"),
        ({"keep_roots": ["/nowhere"]}, "keep-root: expected a folder in the collection"),
        ({"under": ["/nowhere"]}, "under: expected a folder in the collection"),
        ({"keep": ["under:/nowhere"]}, "keep: under: expected a folder in the collection"),
    ],
)
def test_rules_that_make_no_sense_are_refused(root, options, message):
    with pytest.raises(ParameterError, match=message):
        found(root, **options)


def test_plain_pictures_are_near_to_nothing_but_equal_bytes(root):
    for number in range(3):
        save(Image.new("RGB", (300, 200), (250, 250, 250 - number)), root / f"{number}.png")
    shutil.copy2(root / "0.png", root / "copy.png")
    assert found(root) == {"0.png": [("copy.png", "byte-equal", None)]}
    with Collection.open(root) as collection:
        plain = plain_images(collection.catalogue, collection.encoders["perceptual"], Rules())
        assert len([*plain]) == 3


def test_a_film_is_no_copy_of_its_first_frame(root):
    frames = [scene(seed) for seed in (1, 2)]
    save(frames[0], root / "still.png")
    save(frames[0], root / "film.gif", save_all=True, append_images=frames[1:])
    shutil.copy2(root / "film.gif", root / "same.gif")
    assert found(root) == {"film.gif": [("same.gif", "byte-equal", None)]}


@pytest.mark.parametrize("suffix", ["tif", "png", "webp", "avif"])
def test_what_has_several_pictures_is_a_copy_of_equal_bytes_alone(root, suffix):
    if not features.check({"tif": "zlib", "png": "zlib"}.get(suffix, suffix)):
        pytest.skip(f"pillow has no {suffix} here")
    pages = [scene(seed) for seed in (1, 2, 3)]
    for count in (2, 3):
        save(pages[0], root / f"{count}.{suffix}", save_all=True, append_images=pages[1:count])
    shutil.copy2(root / f"3.{suffix}", root / f"same.{suffix}")
    save(pages[0], root / "still.jpg", quality=90)
    save(pages[0], root / "small.jpg", quality=50)
    assert found(root) == {
        f"3.{suffix}": [(f"same.{suffix}", "byte-equal", None)],
        "still.jpg": [("small.jpg", "near", None)],
    }


def test_links_are_no_copies(root):
    save(scene(1), root / "a.png")
    os.symlink("a.png", root / "soft.png")
    os.link(root / "a.png", root / "hard.png")
    assert found(root) == {}


def test_decisions_last(root):
    save(scene(1), root / "a.png")
    save(scene(1), root / "b.jpg", quality=60)
    save(scene(1), root / "c.jpg", quality=40)
    assert len(found(root)["a.png"]) == 2
    with Collection.change(root) as collection:
        catalogue = collection.catalogue
        ids = dict(
            catalogue.execute(
                "SELECT path, image.id FROM files JOIN images AS image USING (content)"
            ).fetchall()
        )
        decide(catalogue, "not duplicates", [ids[b"a.png"], ids[b"b.jpg"]])
        for wrong, message in (([1], "2 images or more"), ([1, 999], "no image of the coll")):
            with pytest.raises(ParameterError, match=message):
                decide(catalogue, "not duplicates", wrong)
    assert found(root) == {"a.png": [("c.jpg", "near", None)]}
    os.rename(root / "b.jpg", root / "renamed.jpg")
    assert found(root) == {"a.png": [("c.jpg", "near", None)]}
    with Collection.change(root) as collection:
        decide(collection.catalogue, "keep", [ids[b"c.jpg"]])
    assert found(root) == {}


def test_apply_and_undo_leave_nothing_to_read(root):
    save(scene(1), root / "a.png")
    shutil.copy2(root / "a.png", root / "b.png")
    save(scene(1), root / os.fsdecode(b"no\xffutf8.jpg"), quality=60)
    save(scene(2), root / "c.png")
    write(root / "b.xmp", b"sidecar")
    before = contents(root)
    with Collection.create([root]) as collection:
        bring_up(collection, "perceptual")
        files = files_in(root)
        groups = find_duplicates(collection.catalogue, collection.encoders["perceptual"])
        removed = remove(collection.catalogue, duplicates_of(groups))
        # The one with a sidecar stays of the two that are equal.
        assert files_in(root).keys() == {"b.png", "b.xmp", "c.png"}
        assert removed.files == 2
        assert before.keys() <= contents(root).keys()
        report = bring_up(collection)
        assert report.read == report.encoded == report.missing.count == 0
        assert undo(collection.catalogue).back == 2
        assert files_in(root) == files
        report = bring_up(collection)
        assert report.read == report.encoded == report.missing.count == 0


def test_calibration_counts_pairs(root):
    for number in range(4):
        save(scene(number), root / f"{number}.png")
        save(scene(number), root / f"{number}.jpg", quality=70)
    with Collection.create([root]) as collection:
        bring_up(collection, "perceptual")
        index = collection.index("perceptual")
        levels = calibrate(collection.catalogue, collection.encoders["perceptual"])
        for level in levels:
            assert level.pairs == len(index.pairs(level.radius)[0])
            assert all(distance <= level.radius for *_, distance in level.samples)
        assert sum(len(level.samples) for level in levels) == 4
        page = io.StringIO()
        write_calibration(page, levels)
    assert page.getvalue().count("data:image/jpeg;base64,") == 8


def test_pages_and_tables_hold_names_of_all_kinds(root):
    names = ["<script>alert(1)</script>.png".replace("/", ""), "new\nline.png", 'a,b".png']
    names.append(os.fsdecode(b"no\xffutf8.png"))
    for one in names:
        save(scene(1), root / one, format="PNG")
    with Collection.create([root]) as collection:
        bring_up(collection, "perceptual")
        groups = find_duplicates(collection.catalogue, collection.encoders["perceptual"])
        page, table = io.StringIO(), io.StringIO()
        (group,) = write_groups(page, write_table(table, groups))
    assert len(group.members) == 3
    text = page.getvalue()
    assert "<script>" not in text
    assert text.count("<figure") == text.count('<img src="data:image/jpeg') == 4
    text.encode()
    rows = [*csv.DictReader(io.StringIO(table.getvalue()))]
    assert {os.path.basename(row["path"]) for row in rows} == set(names)
    assert [row["action"] for row in rows].count("keep") == 1


def test_an_empty_collection(root):
    assert found(root) == {}
    with Collection.open(root) as collection:
        page = io.StringIO()
        assert [*write_groups(page, [])] == []
        levels = calibrate(collection.catalogue, collection.encoders["perceptual"])
        assert all(level.pairs == 0 for level in levels)
    assert "None found" in page.getvalue()


def test_files_that_are_gone_since_are_in_no_group(root):
    save(scene(1), root / "a.png")
    save(scene(1), root / "b.jpg", quality=60)
    assert len(found(root)) == 1
    (root / "b.jpg").unlink()
    with Collection.open(root) as collection:
        encoder = collection.encoders["perceptual"]
        assert [*find_duplicates(collection.catalogue, encoder)] == []
    assert found(root) == {}
