"""Payloads of systems that are not here, against what their documentation shows."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from bridge_cases import random_codes, same

from hashret import CodeError, FormatError, IdError
from hashret.bridges import dimension, milvus, opensearch, vespa
from hashret.codes import from_int8, hamming_distances, pack

TWELVE = [[0xFF, 0xF0], [0x80, 0x10]]
# Bits 0 and 99 are set.
HUNDRED = [[0x80, *[0] * 11, 0x10]]


def written(bridge, codes, bits, ids):
    file = io.BytesIO()
    bridge.write(file, codes, bits, ids)
    return file.getvalue()


def test_milvus():
    assert written(milvus, TWELVE, 12, [7, 8]) == (
        b'{"id": 7, "code": [255, 240]}\n{"id": 8, "code": [128, 16]}\n'
    )
    assert written(milvus, HUNDRED, 100, [1]) == (
        b'{"id": 1, "code": [128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16]}\n'
    )


def test_vespa():
    assert written(vespa, TWELVE, 12, [7, 8]) == (
        b'{"put": "id:hashret:codes::7", "fields": {"id": 7, "code": "FFF0"}}\n'
        b'{"put": "id:hashret:codes::8", "fields": {"id": 8, "code": "8010"}}\n'
    )
    assert b'"code": "80000000000000000000000010"' in written(vespa, HUNDRED, 100, [1])
    # The example of Vespa's document JSON format.
    cells = from_int8(np.array([[-1, 0, 17, -128, 34, -2]], np.int8), 48)
    assert json.loads(written(vespa, cells, 48, [1]))["fields"]["code"] == "FF00118022FE"


def test_opensearch():
    assert written(opensearch, TWELVE, 12, [7, 8]) == (
        b'{"index": {"_id": "7"}}\n{"id": 7, "code": [-1, -16]}\n'
        b'{"index": {"_id": "8"}}\n{"id": 8, "code": [-128, 16]}\n'
    )
    assert b"[-128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16]" in written(opensearch, HUNDRED, 100, [1])
    # Two examples of OpenSearch's pages, bit by bit.
    shown = [
        [0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0],
        [0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0],
    ]
    lines = written(opensearch, pack(shown), 16, [1, 2]).splitlines()
    assert [json.loads(line)["code"] for line in lines[1::2]] == [[7, 8], [108, -116]]


def test_schemas_have_whole_bytes():
    assert "tensor<int8>(x[13])" in vespa.schema(100)
    code = json.loads(opensearch.schema(100))["mappings"]["properties"]["code"]
    assert (code["dimension"], code["data_type"], code["space_type"]) == (104, "binary", "hamming")


@pytest.mark.parametrize("bits", [12, 100])
def test_padding_changes_no_distance(bits, rng):
    codes = random_codes(rng, 30, bits)
    for bridge in (milvus, vespa, opensearch):
        padded = bridge.read(io.BytesIO(written(bridge, codes, bits, np.arange(30))))
        assert padded.bits == dimension(bits)
        theirs = hamming_distances(padded.codes, padded.codes, padded.bits)
        assert np.array_equal(theirs, hamming_distances(codes, codes, bits))


def test_what_they_print_is_read():
    visited = (
        b'{"id": "id:hashret:codes::7", "fields": {"id": 7, "code": '
        b'{"type": "tensor<int8>(x[2])", "values": [-1, -16]}}}\n\n'
    )
    same(vespa.read(io.BytesIO(visited), 12), [[255, 240]], 12, [7])
    hit = b'{"_index": "x", "_id": "7", "_source": {"id": 7, "code": [-1, -16]}}\n'
    same(opensearch.read(io.BytesIO(hit), 12), [[255, 240]], 12, [7])


def test_a_document_may_have_a_field_of_the_name_of_what_to_do():
    lines = (
        b'{"create": {"_id": "7"}}\n{"id": 7, "code": [-1, -16], "index": 3}\n'
        b'{"index": {"_id": "8"}}\n{"create": "x", "id": 8, "code": [-128, 16]}\n'
    )
    same(opensearch.read(io.BytesIO(lines), 12), TWELVE, 12, [7, 8])
    for line in (b'"index"', b'["create"]', b'{"index": 3, "id": 1}'):
        with pytest.raises(FormatError, match="line 1"):
            opensearch.read(io.BytesIO(line + b"\n"), 12)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"{", FormatError),
        (b"[]", FormatError),
        (b'{"id": 1}', FormatError),
        (b'{"id": 1, "code": []}', FormatError),
        (b'{"id": 1, "code": [1, 256]}', FormatError),
        (b'{"id": 1, "code": [1, true]}', FormatError),
        (b'{"id": 1, "code": [1, 1.5]}', FormatError),
        (b'{"id": 1, "code": [1]}', FormatError),
        (b'{"id": 1, "code": [1, 2, 3]}', FormatError),
        (b'{"id": null, "code": [1, 2]}', FormatError),
        (b'{"id": 1, "code": NaN}', FormatError),
        (b"\xff", FormatError),
        (b'{"id": 1, "code": [1, 1]}', CodeError),
        (b'{"id": 0, "code": [1, 16]}', IdError),
        (b'{"id": 99999999999999999999, "code": [1, 16]}', FormatError),
    ],
)
def test_lines_that_are_unfit_are_named(line, error):
    with pytest.raises(error) as caught:
        milvus.read(io.BytesIO(b'{"id": 0, "code": [1, 16]}\n' + line + b"\n"), 12)
    if error is FormatError:
        assert "line 2" in str(caught.value)
