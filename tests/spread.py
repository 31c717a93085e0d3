"""How files of tests are spread over processes, and what each leaves to the others."""

from __future__ import annotations

import gc
import os

import pytest

# Begun first, the longest at the top, or they would go on alone in the end. One process takes all
# of a line, whose files share a cluster of Ray's.
FIRST = """
cluster/test_replicas cluster/test_encoding_on_ray cli/test_cluster cluster/test_served
docs/test_examples
docs/test_manual
web/test_browser
cli/test_index
web/test_accessibility
fuzz/test_fuzz
web/test_bulk
index/test_merging
collection/test_nothing_lost
images/reading/test_pool
images/test_bad_files
web/test_api
cluster/test_encoding
cli/test_dedup
collection/test_watching
experiments/test_experiments
index/test_isa
index/test_mih
web/test_schema
collection/duplicates/test_duplicates
index/test_threads
"""
LINES = [line.split() for line in FIRST.strip().splitlines()]
PLACES = {f"tests/{file}.py": place for place, line in enumerate(LINES) for file in line}
# Of libraries that start a thread a processor in each process, and wait for these in turns: one is
# quicker. Tests of several threads ask for them.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One more than there are processors: some tests wait, for a browser or a node that died."""
    workers = yield
    return workers + ("PYTEST_XDIST_AUTO_NUM_WORKERS" not in os.environ)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    for name in THREADS:
        os.environ.setdefault(name, "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByLine(LoadFileScheduling):
        """Files as they are collected, those of a line of `FIRST` to one process."""

        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return str(PLACES.get(file, file))

    # Not by how many tests a file has.
    config.option.loadscopereorder = False
    return ByLine(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection():
    """Collect without looking for garbage, and never look among what was collected."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure():
    """Let what was collected go before the interpreter's end, as without these hooks."""
    gc.unfreeze()


def pytest_collection_modifyitems(items):
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: PLACES.get(item.nodeid.partition("::")[0], len(LINES)))
