"""Nodes of a real Ray cluster on this machine, and what a test does to them."""

from __future__ import annotations

import gc
import os
import signal
import time
import warnings

import pytest

# Not 127.0.0.1, which Ray takes for the machine's address on the network.
HOST = "127.0.0.2"
NODE = {"num_cpus": 4, "object_store_memory": 100 * 2**20, "node_ip_address": HOST}
# Of its own accord each node starts a process a CPU before any is wanted, a second of work each.
AS_WANTED = {"RAY_prestart_worker_first_driver": "0", "RAY_enable_worker_prestart": "0"}
# A node that answers five times nothing is dead; a node that is slow has ten seconds an answer.
SOON_MISSED = {"RAY_health_check_period_ms": "500"}


def wait_until(true, seconds):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def kill(node):
    """End a node's processes as a power cut does: the raylet, and its workers with it."""
    os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)


def alive():
    import ray

    return [node["NodeID"] for node in ray.nodes() if node["Alive"]]


@pytest.fixture(scope="session")
def cluster():
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", **AS_WANTED, **SOON_MISSED}
    # Ray leaves sockets to the collector.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
        from ray.cluster_utils import Cluster

        # What processes print is read from their files by nobody.
        without = {"include_dashboard": False, "include_log_monitor": False}
        made = Cluster(initialize_head=True, head_node_args=NODE | without)
        for _ in range(2):
            made.add_node(**NODE)
        ray.init(
            address=made.address,
            namespace="hashret",
            log_to_driver=False,
            logging_level="ERROR",
            _node_ip_address=HOST,
        )
    yield made
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.shutdown()
        made.shutdown()
        gc.collect()
