"""Encoding by the file of a fitted encoder: the same as by the encoder, without scikit-learn."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")

from hashret.encoders import ITQ, PCAHashing, RandomProjectionLSH, SpectralHashing
from hashret.encoders.fitted import FittedProjection
from hashret.errors import CodeError, DTypeError, ShapeError
from hashret.ranking import WeightedPrefix

ENCODERS = {
    "itq": ITQ(12, random_state=0),
    "pca": PCAHashing(9),
    "lsh": RandomProjectionLSH(8, 3, random_state=1),
    "lsh-any-seed": RandomProjectionLSH(8, 1, "orthogonal"),
}
ROWS = np.random.default_rng(5).normal(size=(2000, 20))


def read(path):
    return FittedProjection.read(path.read_bytes(), path)


@pytest.fixture
def both(request, tmp_path):
    encoder = ENCODERS[request.param].fit(ROWS)
    encoder.save(tmp_path / "encoder")
    return encoder, read(tmp_path / "encoder")


@pytest.mark.parametrize("both", ENCODERS, indirect=True)
def test_codes_margins_and_fingerprint_are_those_of_the_encoder(both, tmp_path):
    encoder, fitted = both
    asked = np.concatenate([ROWS, encoder.mean_[None], ROWS[:1] * 1e-300])
    for rows in (asked, asked.astype(np.float32), asked[:1], asked[:0]):
        if len(rows):
            np.testing.assert_array_equal(fitted.transform(rows), encoder.transform(rows))
            np.testing.assert_array_equal(fitted.project(rows), encoder.project(rows))
        assert fitted.transform(rows).shape == (len(rows), (encoder.code_bits + 7) // 8)
    assert fitted.code_bits == encoder.code_bits
    assert fitted.fingerprint == encoder.fingerprint
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(asked), encoder.transform(asked))
    fitted.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "encoder").read_bytes()


def test_a_ranking_rule_comes_with_it(tmp_path):
    encoder = ITQ(16, random_state=0).fit(ROWS)
    encoder.ranking = WeightedPrefix(16, 4, 0.5)
    encoder.save(tmp_path / "encoder")
    fitted = read(tmp_path / "encoder")
    assert fitted.ranking == encoder.ranking
    assert fitted.fingerprint == encoder.fingerprint != encoder.codes_fingerprint


def test_what_is_more_than_a_projection_is_left_to_the_encoder(tmp_path):
    pandas = pytest.importorskip("pandas")
    SpectralHashing(8).fit(ROWS).save(tmp_path / "spectral")
    assert read(tmp_path / "spectral") is None
    ITQ(8, random_state=0).fit(pandas.DataFrame(ROWS).add_prefix("x")).save(tmp_path / "named")
    assert read(tmp_path / "named") is None


@pytest.mark.parametrize("both", ["itq"], indirect=True)
def test_tables_that_do_not_fit_are_refused(both):
    _, fitted = both
    for rows, error in (
        (ROWS[:, 1:], ShapeError),
        (ROWS[0], ShapeError),
        (ROWS.astype(complex), DTypeError),
        (np.full((1, 20), np.nan), CodeError),
    ):
        with pytest.raises(error, match="X"):
            fitted.transform(rows)


@pytest.mark.parametrize("both", ["itq"], indirect=True)
def test_a_collection_encodes_without_scikit_learn(both, tmp_path):
    code = (
        "import sys, numpy; from hashret.collection.encoders import load_quantizer\n"
        f"load_quantizer({str(tmp_path / 'encoder')!r}).transform(numpy.ones((2, 20)))\n"
        "print({'sklearn', 'scipy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
