"""Run by a test: a cluster whose head is killed under queries; what they say is printed.

Its driver is on another node, as a server would be.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")

import ray  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402

from hashret.cluster import ShardedIndex  # noqa: E402

NODE = {"num_cpus": 8, "object_store_memory": 100 * 2**20}


def main(folder: str) -> None:
    """Print a line when the head is killed, and one for each second of right answers."""
    head = {**NODE, "node_ip_address": "127.0.0.2", "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for number in (3, 4):
        cluster.add_node(node_ip_address=f"127.0.0.{number}", **NODE)
    ray.init(
        address=cluster.address,
        namespace="hashret",
        log_to_driver=False,
        logging_level="ERROR",
        _node_ip_address="127.0.0.3",
    )
    queries = np.random.default_rng(1).integers(0, 256, (3, 8), np.uint8)
    with ShardedIndex(f"{folder}/index", cache=f"{folder}/cache") as alone:
        expected = alone.search(queries, 5)
    index = ShardedIndex(f"{folder}/index", cache=f"{folder}/cache", replicas=2, timeout=10)
    while sum(each["ready"] for each in index.status()) < 6:
        time.sleep(0.1)
    for name in ("raylet", "gcs_server"):
        os.kill(cluster.head_node.all_processes[name][0].process.pid, signal.SIGKILL)
    print("killed", flush=True)
    told = time.monotonic()
    while True:
        found = index.search(queries, 5)
        assert all(map(np.array_equal, found, expected))
        if time.monotonic() > told + 1:
            told += 1
            print("right", flush=True)


main(sys.argv[1])
