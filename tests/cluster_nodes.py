"""Nodes of a real Ray cluster on this machine, and what a test does to them."""

from __future__ import annotations

import os
import signal
import time

# Not 127.0.0.1, which Ray takes for the machine's address on the network.
HOST = "127.0.0.2"
NODE = {"num_cpus": 16, "object_store_memory": 100 * 2**20, "node_ip_address": HOST}


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
