"""No call leaves a trace in the process, from whatever thread and however many."""

from __future__ import annotations

import copy
import gc
import locale
import os
import pickle
import random
import signal
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import hashret
from hashret.extras import import_extra


def traces():
    """What a call might leave behind."""
    found = {
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "wakeup": sys.flags,
        "environment": dict(os.environ),
        "warnings": list(warnings.filters),
        "numpy errors": np.geterr(),
        "numpy printing": np.get_printoptions(),
        "numpy random": np.random.get_state()[1].tolist(),  # noqa: NPY002
        "random": random.getstate(),
        "threads": threading.active_count(),
        "hooks": (sys.excepthook, threading.excepthook, sys.gettrace(), sys.getswitchinterval()),
        "folder": os.getcwd(),
        "umask": umask(),
        "locale": locale.setlocale(locale.LC_ALL),
        "limits": sys.getrecursionlimit(),
        "collector": (gc.isenabled(), gc.get_threshold()),
    }
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        found["torch"] = torch.get_num_threads(), torch.get_default_dtype()
        found["torch random"] = torch.random.get_rng_state().tolist(), torch.is_grad_enabled()
    return found


def umask():
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


CODES = np.random.default_rng(0).integers(0, 256, (3000, 8), np.uint8)


def use_everything(folder, number):
    index = hashret.Index(64)
    index.add(CODES)
    index.update(CODES[:3], [5, 6, 7])
    index.remove([1])
    index.search(CODES, 3, threads=3, exclude=index.ids[:1].repeat(len(CODES)))
    index.range_search(CODES[:9], 4, filter=index.ids[::2])
    index.neighbor_graph(2, threads=2)
    index.pairs(0), index.duplicates(1, threads=2), index.stats(), index.explain(CODES[:1], 2)
    index.save(folder / f"{number}")
    hashret.Index.load(folder / f"{number}", mmap=True).search(CODES[:1], 1)
    copy.copy(index), pickle.loads(pickle.dumps(index))
    hashret.codes.from_hex(hashret.codes.to_hex(CODES, 64), 64)
    hashret.codes.from_ints(hashret.codes.to_ints(CODES, 64, signed=True), 64)
    hashret.rerank.by_margins(np.ones((2, 64)), [[0, 1]] * 2, CODES, 1)
    for wrong in (
        lambda: index.search("x", 1),
        lambda: index.add([[2**70]]),
        lambda: index.get(9e9),
        lambda: hashret.codes.pack(np.full((1, 8), np.nan)),
        lambda: import_extra("no_such_package_at_all", "images"),
    ):
        try:
            wrong()
        except (hashret.HashretError, TypeError):
            continue
        raise AssertionError("taken")


@pytest.mark.parametrize("threads", [1, 4])
def test_nothing_is_left(tmp_path, threads):
    before = traces()
    use_everything(tmp_path, "here")
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda number: use_everything(tmp_path, number), range(threads)))
    after = traces()
    for name, value in before.items():
        assert after[name] == value, name


def test_imports_from_threads_leave_ctrl_c_alone(tmp_path, monkeypatch):
    for number in range(8):
        (tmp_path / f"package_of_{number}.py").write_text("import time\ntime.sleep(0.005)\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(import_extra, f"package_of_{n}", "images") for n in range(8)]
        import_extra("package_of_0", "images")
        for one in asked:
            one.result()
    assert signal.getsignal(signal.SIGINT) is before
    assert before is signal.default_int_handler


def test_an_exception_of_another_signal_leaves_ctrl_c_alone(tmp_path, monkeypatch):
    """As SIGTERM, whose handler may raise SystemExit in the middle of an import."""
    (tmp_path / "ended_package.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit):
        import_extra("ended_package", "images")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
