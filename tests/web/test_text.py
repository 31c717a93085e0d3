"""Searching by words, where the encoder is a pair of models that knows some."""

from __future__ import annotations

import pytest

pytest.importorskip("web_site")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("tokenizers")

from onnx_files import COLOURS, write_pair
from PIL import Image
from web_site import served

from hashret.collection import Collection


def test_images_are_found_by_words(tmp_path):
    write_pair(tmp_path / "pair")
    root = tmp_path / "photos"
    root.mkdir()
    for name, colour in COLOURS.items():
        for shade in range(4):
            size = 30, 20 + shade
            Image.new("RGB", size, tuple(max(0, c - shade) for c in colour)).save(
                root / f"{name}{shade}.png"
            )
    with Collection.create([root]) as collection:
        collection.update([str(tmp_path / "pair")], workers=1)
    with served(root) as client:
        assert client.get("/api/info").json()["encoders"][0]["texts"]
        for colour in [*COLOURS, *COLOURS]:
            params = {"text": f"{colour} and more", "k": 4}
            found = client.get("/api/search/text", params=params).json()["results"]
            assert {one["name"][:-5] for one in found} == {colour}
        for text in ("\0", "\ud800", "x" * 500, "[PAD]", "<b>", "'; --"):
            params = {"text": text.encode("utf-8", "surrogatepass")}
            assert client.get("/api/search/text", params=params).status_code in (200, 400, 422)
