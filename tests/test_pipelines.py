"""Encoders as steps of scikit-learn's pipelines, and searching by a whole pipeline."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra 'images'")
pytest.importorskip("skimage", reason="needs the extra 'images'")

from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomTreesEmbedding
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, Normalizer, StandardScaler

from hashret import Searcher
from hashret.encoders import ITQ, PCAHashing, RandomProjectionLSH, SpectralHashing
from hashret.errors import DTypeError, EncoderMismatchError, ParameterError, ShapeError
from hashret.features import hog
from hashret.searcher import check_encoder

X = np.random.default_rng(0).normal(size=(80, 12)) * np.arange(1, 13)
PIPELINES = {
    "scaled": lambda: make_pipeline(StandardScaler(), ITQ(8, random_state=0)),
    "normal": lambda: make_pipeline(Normalizer(), PCAHashing(8)),
    "union": lambda: make_pipeline(
        FeatureUnion([("a", PCA(6)), ("b", StandardScaler())]), SpectralHashing(8)
    ),
    "columns": lambda: make_pipeline(
        ColumnTransformer([("a", StandardScaler(), [0, 1, 2]), ("b", "passthrough", slice(3, 12))]),
        PCAHashing(8),
    ),
    "function": lambda: make_pipeline(
        FunctionTransformer(np.tanh), RandomProjectionLSH(8, 1, random_state=0)
    ),
    "nested": lambda: make_pipeline(
        make_pipeline(StandardScaler(), PCA(9)), make_pipeline(MinMaxScaler(), PCAHashing(8))
    ),
    "nothing": lambda: Pipeline([("a", "passthrough"), ("b", PCAHashing(8))]),
}


@pytest.fixture(params=PIPELINES)
def pipeline(request):
    return PIPELINES[request.param]()


def test_a_searcher_takes_a_pipeline(pipeline, tmp_path):
    codes = pipeline.fit_transform(X)
    searcher = Searcher(pipeline)
    np.testing.assert_array_equal(searcher.encode(X), codes)
    searcher.add(X)
    assert (searcher.search(X, 1)[0] == 0).all()
    searcher.index.save(tmp_path / "index.hri")
    again = Searcher.load(tmp_path / "index.hri", clone(pipeline).fit(X))
    assert (again.search(X, 1)[0] == 0).all()
    check_encoder(searcher.index, pipeline)


def test_fingerprints_tell_pipelines_apart():
    steps = [maker().fit(X) for maker in PIPELINES.values()]
    steps += [
        make_pipeline(StandardScaler(with_std=False), ITQ(8, random_state=0)).fit(X),
        make_pipeline(StandardScaler(), ITQ(8, random_state=0)).fit(X + np.arange(12)),
        make_pipeline(Normalizer("l1"), PCAHashing(8)).fit(X),
        make_pipeline(FunctionTransformer(np.sinh), RandomProjectionLSH(8, 1, random_state=0)).fit(
            X / 99
        ),
    ]
    prints = {Searcher(one).index.encoder for one in steps}
    assert len(prints) == len(steps)
    last = PCAHashing(8).fit(X)
    assert Searcher(PIPELINES["nothing"]().fit(X)).index.encoder == last.fingerprint


def test_another_pipeline_of_the_same_encoder_is_refused():
    pipeline = make_pipeline(StandardScaler(), PCAHashing(8)).fit(X)
    index = Searcher(pipeline).index
    with pytest.raises(EncoderMismatchError):
        Searcher(pipeline[-1], index)
    with pytest.raises(EncoderMismatchError):
        check_encoder(index, make_pipeline(MinMaxScaler(), pipeline[-1]).fit(X))


def test_fitting_again_leaves_a_searcher_as_it_was(pipeline):
    pipeline.fit(X)
    searcher = Searcher(pipeline)
    before = searcher.encode(X)
    pipeline.fit(X[:40] ** 2)
    np.testing.assert_array_equal(searcher.encode(X), before)


def test_pictures_go_through_a_pipeline():
    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28), np.uint8)
    searcher = Searcher(make_pipeline(FunctionTransformer(hog), PCAHashing(16)).fit(images))
    searcher.add(images)
    assert (searcher.search(images, 1)[0] == 0).all()
    with pytest.raises(ShapeError, match=r"images\[None\]"):
        searcher.search(images[0], 1)


def test_pipelines_of_which_no_fingerprint_can_be_taken_are_refused():
    for step, named in (
        (FunctionTransformer(lambda table: table * 2), "lambda.*functiontransformer"),
        (RandomTreesEmbedding(2, sparse_output=False, random_state=0), "Tree.*randomtrees"),
    ):
        pipeline = make_pipeline(step, PCAHashing(2)).fit(X)
        with pytest.raises(ParameterError, match=f"encoder: no fingerprint .*{named}"):
            Searcher(pipeline)


def test_pipelines_that_are_no_encoders_are_refused():
    with pytest.raises(DTypeError, match=r"encoder: .*ends in an encoder.*StandardScaler"):
        Searcher(make_pipeline(StandardScaler()).fit(X))
    with pytest.raises(NotFittedError):
        Searcher(make_pipeline(StandardScaler(), PCAHashing(8)))


def test_output_can_be_set_on_pipelines_and_unions():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcdefghijkl"))
    union = FeatureUnion([("a", PCAHashing(12)), ("b", ITQ(8, random_state=0))])
    pipeline = make_pipeline(StandardScaler(), union).set_output(transform="pandas").fit(frame)
    codes = pipeline.transform(frame)
    assert list(codes.columns) == ["a__pcahashing0", "a__pcahashing1", "b__itq0"]
    searcher = Searcher(
        make_pipeline(StandardScaler(), PCAHashing(8)).set_output(transform="pandas").fit(frame)
    )
    searcher.add(frame)
    assert (searcher.search(frame[:5], 1)[0] == 0).all()


def test_searching_loads_no_scikit_learn():
    code = (
        "import sys, numpy, hashret\n"
        "class One:\n"
        "    code_bits, fingerprint = 8, 'x'\n"
        "    def project(self, inputs): return numpy.ones((1, 8))\n"
        "hashret.Searcher(One()).add([1]); print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
