"""Tests of networks run on a CPU, of which they ask the last digits; test_cuda.py on a GPU."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_gpu(request, monkeypatch):
    if request.path.name == "test_cuda.py":
        return
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # of other processes
