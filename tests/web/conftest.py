"""Collections that are served; what they are made with is imported when one is wanted."""

from __future__ import annotations

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
