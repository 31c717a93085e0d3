"""Pictures in tar files and Parquets: the codes of files, and hostile ones cost themselves."""

from __future__ import annotations

import io
import os
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashret.cluster import ShardedIndex
from hashret.cluster.encoding import Bounds, encode
from hashret.cluster.encoding.archives import keys_of
from hashret.cluster.encoding.unpacking import Unpacked
from hashret.images.reading import Limits

arrow = pytest.importorskip("pyarrow", reason="needs the extra 'ray'")
parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("pathspec", reason="needs the extra 'collection'")
Image = pytest.importorskip("PIL.Image")


def png(seed):
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize((48, 48)).save(file, "PNG")
    return file.getvalue()


PICTURES = {f"{number * 7 % 10:02}.png": png(number) for number in range(10)}


def as_tar(path, members, **kinds):
    """Write a tar: names, and bytes or what sets another kind of member."""
    with tarfile.open(path, "w", format=kinds.pop("format", tarfile.PAX_FORMAT)) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if isinstance(data, bytes):
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
            else:
                info.type, info.linkname = data
                tar.addfile(info)
    return path


def as_parquet(path, rows, **options):
    table = arrow.table({"key": [key for key, _ in rows], "bytes": [data for _, data in rows]})
    parquet.write_table(table, path, row_group_size=3, **options)
    return path


def encoded(tmp_path, *sources, place="index", **options):
    given = {"shard_files": 40, "workers": 1, "cache": tmp_path / "cache", **options}
    return encode(tmp_path / place, sources, **given)


def codes(tmp_path, place="index"):
    """The code of each picture, by its path; and the ids in the order of the paths."""
    with ShardedIndex(tmp_path / place, cache=tmp_path / "cache") as index:
        paths = index.paths(index.ids)
        assert paths == sorted(paths)
        return dict(zip(paths, map(bytes, index.get(index.ids)), strict=True))


def reasons(told):
    return {os.path.basename(path): reason for path, reason in told}


@pytest.fixture
def expected(tmp_path):
    """The codes of the pictures as files, by their names."""
    (tmp_path / "photos").mkdir()
    for name, data in PICTURES.items():
        (tmp_path / "photos" / name).write_bytes(data)
    encoded(tmp_path, tmp_path / "photos", place="files")
    return {os.path.basename(p): code for p, code in codes(tmp_path, "files").items()}


def test_archives_give_the_codes_of_their_pictures(tmp_path, expected):
    """Of two tars and a Parquet, in shards that have some of each; ids follow the sorted keys."""
    some, others = list(PICTURES.items())[:4], list(PICTURES.items())[4:]
    told = [(name.replace(".png", ".json"), b"{}") for name, _ in some]
    archives = [
        as_tar(tmp_path / "a.tar", some + told + [("./deep/er.png", PICTURES["03.png"])]),
        as_tar(tmp_path / "b.tar", others[:3], format=tarfile.GNU_FORMAT),
        as_parquet(tmp_path / "c.parquet", [(n.removesuffix(".png"), d) for n, d in others[3:]]),
    ]
    report = encoded(tmp_path, *archives, shard_files=4)
    assert (report.files, report.codes, report.shards) == (11, 11, 3)
    assert report.failures == report.unreachable == []
    found = codes(tmp_path)
    assert os.fsencode(tmp_path / "a.tar" / "deep" / "er.png") in found
    for path, code in found.items():
        name = os.path.basename(path)
        name = b"03.png" if name == b"er.png" else name.removesuffix(b".png") + b".png"
        assert code == expected[name]
    # What is known is not read again, and a new picture is.
    as_tar(tmp_path / "a.tar", [*some, ("x.png", png(77))])
    report = encoded(tmp_path, *archives)
    assert (report.files, report.codes) == (1, 1)


def test_a_truncated_tar_gives_what_came_before(tmp_path):
    whole = as_tar(tmp_path / "a.tar", PICTURES.items()).read_bytes()
    cuts = {len(whole) // 2: None, 700: "truncated", 0: "empty", len(whole) - 10_240: "truncated"}
    for cut, said in cuts.items():
        (tmp_path / "a.tar").write_bytes(whole[:cut])
        keys, told = keys_of(os.fsencode(tmp_path / "a.tar"))
        assert {key.decode() for key in keys} < {*PICTURES, ""} or cut > len(whole) // 2
        [(path, reason)] = told
        assert path == os.fsencode(tmp_path / "a.tar")
        assert (said or "truncated") in reason
    (tmp_path / "a.tar").write_bytes(whole[: len(whole) // 2])
    report = encoded(tmp_path, tmp_path / "a.tar")
    assert 0 < report.codes == report.files < 10
    assert len(report.unreachable) == 1


def test_members_that_are_no_files_of_the_archive_are_refused(tmp_path):
    (tmp_path / "secret.png").write_bytes(PICTURES["01.png"])
    hostile = [
        ("../secret.png", PICTURES["00.png"]),
        (str(tmp_path / "planted.png"), PICTURES["00.png"]),
        ("link.png", (tarfile.SYMTYPE, str(tmp_path / "secret.png"))),
        ("hard.png", (tarfile.LNKTYPE, "00.png")),
        ("pipe.png", (tarfile.FIFOTYPE, "")),
        ("twice.png", PICTURES["00.png"]),
        ("./twice.png", PICTURES["01.png"]),
        ("good.png", PICTURES["02.png"]),
        ("bad.png", b"\x89PNG\r\n\x1a\n"),
    ]
    report = encoded(tmp_path, as_tar(tmp_path / "a.tar", hostile))
    assert list(codes(tmp_path)) == [os.fsencode(tmp_path / "a.tar/good.png")]
    assert [os.path.basename(path) for _, path, _ in report.failures] == [b"bad.png"]
    told = reasons(report.unreachable)
    assert told.keys() == {
        *(b"secret.png", b"planted.png", b"link.png", b"hard.png", b"pipe.png", b"twice.png")
    }
    assert "leads out" in told[b"secret.png"]
    assert "leads out" in told[b"planted.png"]
    assert "link" in told[b"link.png"]
    assert "2 times" in told[b"twice.png"]
    assert not (tmp_path / "planted.png").exists()


def test_a_parquet_with_bad_rows_costs_those(tmp_path):
    rows = [("a", PICTURES["00.png"]), ("b", None), ("a", PICTURES["01.png"]), ("", b"x")]
    rows += [("../c", PICTURES["02.png"]), (None, b"x"), ("d", b"\x89PNG\r\n\x1a\n")]
    rows += [("e", PICTURES["03.png"]), ("f", PICTURES["04.png"]), ("g", b"no picture")]
    report = encoded(tmp_path, as_parquet(tmp_path / "a.parquet", rows))
    assert [os.path.basename(path) for path in codes(tmp_path)] == [b"e", b"f"]
    failed = {os.path.basename(path): reason for _, path, reason in report.failures}
    assert failed.keys() == {b"b", b"d"}
    assert failed[b"b"] == "has no bytes"
    assert reasons(report.unreachable).keys() == {b"a", b"", b"c"}


def test_another_parquet_is_told(tmp_path):
    parquet.write_table(arrow.table({"name": ["a"], "bytes": [b"x"]}), tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and no more")
    report = encoded(tmp_path, tmp_path / "a.parquet", tmp_path / "b.parquet")
    told = reasons(report.unreachable)
    assert "name (string)" in told[b"a.parquet"]
    assert "cannot be read" in told[b"b.parquet"]
    assert report.files == 0


def test_what_changes_after_the_plan_is_a_failure(tmp_path):
    """An archive that lost members, ends within one, or has one that is too large."""
    path = as_tar(tmp_path / "a.tar", list(PICTURES.items()))
    archive = os.fsencode(path)
    files = [(n, archive + b"/" + os.fsencode(name)) for n, name in enumerate(PICTURES)]

    def unpacked(limits=None):
        with Unpacked(files, [archive], limits or Limits()) as found:
            there = {}
            for token, name in found:
                with open(name, "rb") as file:
                    there[token] = file.read()
                found.drop(token)
                assert not os.path.exists(name)
            assert there.keys() | {each.token for each in found.skipped} == set(range(10))
            return there, {each.token: each.reason for each in found.skipped}

    there, failed = unpacked()
    assert (list(there.values()), failed) == (list(PICTURES.values()), {})
    as_tar(path, [*list(PICTURES.items())[:3], ("00.png", b"again")])
    there, failed = unpacked()
    assert len(there) == 3
    assert set(failed.values()) == {"is no longer in its archive"}
    # A hole of a gigabyte, which is not copied.
    info = tarfile.TarInfo("00.png")
    info.size = 2**30
    path.write_bytes(info.tobuf())
    os.truncate(path, 2**30 + 4096)
    there, failed = unpacked(Limits(pixels=1000))
    assert there == {}
    assert "larger than" in failed[0]


@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), kind=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_damaged_byte_ends(tmp_path_factory, at, byte, kind):
    """Planning and unpacking end, with each key or a reason, whatever an archive has."""
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    rows = list(PICTURES.items())[:4]
    write = as_tar if kind else as_parquet
    path = write(folder / ("a.tar" if kind else "a.parquet"), rows)
    archive, data = os.fsencode(path), bytearray(path.read_bytes())
    data[int(at * len(data))] = byte
    path.write_bytes(data)
    keys, _ = keys_of(archive)
    files = [(n, archive + b"/" + key) for n, key in enumerate(sorted(keys))]
    with Unpacked(files, [archive], Limits()) as found:
        tokens = [token for token, _ in found] + [each.token for each in found.skipped]
    assert sorted(tokens) == list(range(len(files)))


def test_a_member_of_negative_size_does_not_lead_back(tmp_path):
    path = as_tar(tmp_path / "a.tar", PICTURES.items(), format=tarfile.GNU_FORMAT)
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as tar:
        header = tar.getmembers()[2].offset
    data[header + 124 : header + 136] = b"\xff" * 10 + b"\xf0\x00"
    data[header + 148 : header + 156] = b" " * 8
    data[header + 148 : header + 156] = b"%06o\0 " % sum(data[header : header + 512])
    path.write_bytes(data)
    keys, [(_, reason)] = keys_of(os.fsencode(path))
    assert len(keys) == 2
    assert "damaged" in reason


@pytest.mark.parametrize("given", [{"seconds": 0}, {"memory": 0}, {"attempts": 0}])
def test_bounds_are_checked(given):
    with pytest.raises(ValueError, match=next(iter(given))):
        Bounds(**given)
