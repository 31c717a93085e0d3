"""No call leaves a trace in the process, from any number of threads."""

from __future__ import annotations

import logging
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

from hashret.deep import DeepHasher  # noqa: E402
from hashret.deep.model.inputs import as_inputs  # noqa: E402

IMAGES = np.random.default_rng(0).integers(0, 256, (64, 12, 12), np.uint8)
LABELS = np.arange(64) % 2


def quick(seed, network="small-cnn", **options):
    given = {"bits": 8, "epochs": 2, "batch_size": 8, "random_state": seed, "progress": None}
    return DeepHasher(network, **{**given, **options})


def dropping():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(144, 8))


def state_of_process():
    flags = torch.backends.cudnn
    return (
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        (flags.enabled, flags.benchmark, flags.deterministic, flags.allow_tf32),
        (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_num_threads()),
        (torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled()),
        (list(warnings.filters), warnings.showwarning),
        [(name, logging.getLogger(name).level) for name in sorted(logging.root.manager.loggerDict)],
    )


def test_trainings_in_threads_give_what_each_gives_alone():
    jobs = [(seed, network) for seed in (0, 0, 1) for network in ("small-cnn", dropping())]
    alone = [quick(seed, network).fit(IMAGES, LABELS).fingerprint for seed, network in jobs]
    before = state_of_process()
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda job: quick(*job).fit(IMAGES, LABELS).fingerprint, jobs)
        assert list(together) == alone
    assert state_of_process() == before


@pytest.mark.parametrize("seed", [None, 0])
def test_nothing_is_left_behind(tmp_path, seed):
    hasher = quick(seed).fit(IMAGES, LABELS)
    before = state_of_process()
    quick(seed, epochs=1, validation=0.2, ema=0.9).fit(IMAGES, LABELS)
    hasher.transform(IMAGES)
    hasher.save(tmp_path / "encoder")
    DeepHasher.load(tmp_path / "encoder").transform(IMAGES)
    with pytest.raises(ZeroDivisionError):
        quick(seed, progress=lambda _: 1 / 0).fit(IMAGES, LABELS)
    assert state_of_process() == before


def test_exports_in_threads_leave_nothing_behind_and_are_equal(tmp_path):
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    vectors = np.random.default_rng(0).normal(size=(64, 6))
    hasher = quick(0, "linear").fit(vectors, LABELS)
    hasher.export_onnx(tmp_path / "first")
    before = state_of_process()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: hasher.export_onnx(tmp_path / str(n)), range(2)))
    assert state_of_process() == before
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_a_mapped_file_is_neither_copied_nor_written(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.shares_memory(as_inputs(mapped).numpy(), mapped)
        hasher = quick(0, epochs=1).fit(mapped, LABELS)
    assert hasher.fingerprint == quick(0, epochs=1).fit(IMAGES, LABELS).fingerprint
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), IMAGES)
