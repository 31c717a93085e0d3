"""Experiments in tests are small: a second thread gains nothing, and waits for the first."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    threadpoolctl = pytest.importorskip("threadpoolctl", reason="needs the extra 'images'")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpoolctl.threadpool_limits(1):
        yield
    torch.set_num_threads(before)
