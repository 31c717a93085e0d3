"""Collections that are served; what they are made with is imported when one is wanted."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    from web_site import fill

    return fill(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="session")
def untouched(tmp_path_factory):
    """One that nothing but copies is made of."""
    from web_site import fill

    return fill(tmp_path_factory.mktemp("untouched") / "photos")


@pytest.fixture
def own_folder(untouched, tmp_path):
    """One that a test may change."""
    return shutil.copytree(untouched, tmp_path / "photos")


@pytest.fixture(scope="session")
def grouped(untouched, tmp_path_factory):
    """The same, its groups found already by a server."""
    from web_site import find_groups, served

    folder = shutil.copytree(untouched, tmp_path_factory.mktemp("grouped") / "photos")
    with served(folder) as client:
        find_groups(client)
    return folder


@pytest.fixture
def own_groups(grouped, tmp_path):
    """One that a test may change, for a test that is not about how groups are found."""
    return shutil.copytree(grouped, tmp_path / "photos")


@pytest.fixture(scope="session")
def client(folder):
    from web_site import served

    with served(folder) as client:
        yield client
