"""The head of a cluster is killed: what is lost, and what is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import oracle
import pytest

from hashret.cluster import ShardedIndex

pytest.importorskip("ray", reason="needs the extra 'ray'")

# Seconds that Ray looks for a lost head; 60 if nothing is said.
WAITS = 10


@pytest.mark.slow
def test_the_head_is_killed(tmp_path, rng):
    """Searches go on until Ray gives up and ends the process; the index is not touched."""
    codes = oracle.random_codes(rng, 300, 64)
    with ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache") as index:
        index.add(codes, shard_codes=100)
    environment = os.environ | {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_gcs_rpc_server_reconnect_timeout_s": str(WAITS),
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("losing_head.py")), str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=240,
        check=False,
    )
    lines = done.stdout.split()
    assert lines[0] == "killed", done.stderr
    # No answer was wrong or an error, in all the time that Ray left it.
    assert lines.count("right") >= WAITS - 4
    assert done.returncode != 0
    assert "Failed to connect to GCS" in done.stderr
    assert "AssertionError" not in done.stderr
    # Another process, on a new cluster or on none, has all of it.
    with ShardedIndex(tmp_path / "index", cache=tmp_path / "cache") as index:
        np.testing.assert_array_equal(index.get(range(300)), codes)
