"""Collections that are served; what they are made with is imported when one is wanted."""

from __future__ import annotations

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    from web_site import fill

    return fill(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def own_folder(tmp_path):
    """One that a test may change."""
    from web_site import fill

    return fill(tmp_path / "photos")


@pytest.fixture(scope="session")
def client(folder):
    from web_site import served

    with served(folder) as client:
        yield client


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
