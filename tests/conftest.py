"""Fixtures shared by the suites."""

from __future__ import annotations

import os
import shutil
import sys

import numpy as np
import pytest
from cluster_nodes import cluster  # noqa: F401  (a fixture)
from guard import no_network as guard_module

from hashret import _native

pytest_plugins = ["spread"]

ALL = _native.supported_isas()

# Of this process from now on, and of the Python processes that it starts; a worker of pytest-xdist
# is one of those.
GUARD = os.path.dirname(guard_module.__file__)
no_network = sys.modules.get("no_network") or guard_module
if no_network is guard_module:
    no_network.install()
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (GUARD, os.environ.get("PYTHONPATH"))))
sys.path.append(GUARD)


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="takes minutes: give --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def no_other_machine():
    """Fail a test that tried to reach another machine, though it went on when it was refused."""
    yield
    tried = no_network.refused.copy()
    no_network.refused.clear()
    assert not tried, tried


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)


@pytest.fixture
def one_torch_thread():
    """Run the test on one thread of torch's: bit for bit the same, and quicker when small."""
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[os.environ["HASHRET_ISA"]] if os.environ.get("HASHRET_ISA") else ALL)
def isa(request):
    """Run the test once with each instruction set of this machine, or with the forced one."""
    before = _native.isa()
    _native.select_isa(request.param)
    yield request.param
    _native.select_isa(before)


@pytest.fixture(scope="module")
def browser():
    """Chromium, of Debian's package or `HASHRET_CHROMIUM`; where CI runs it has to be there."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = os.environ.get("HASHRET_CHROMIUM") or shutil.which("chromium")
    lacking = pytest.fail if os.environ.get("CI") else pytest.skip
    if path is None:
        lacking("no chromium is installed")
    # A busy machine is slow, not wrong.
    playwright.expect.set_options(timeout=30_000)
    with playwright.sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(
                executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
        except playwright.Error as error:
            lacking(f"chromium does not start: {error}")
        yield browser
        browser.close()
