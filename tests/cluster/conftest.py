"""A Ray cluster for the tests of this folder, started once."""

from __future__ import annotations

import gc
import os
import warnings

import pytest
from cluster_nodes import HOST, NODE


@pytest.fixture(scope="session")
def cluster():
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray leaves sockets to the collector.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
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
