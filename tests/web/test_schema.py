"""What the description of the API allows, and what it does not, asked for at random."""

from __future__ import annotations

import shutil

import pytest

pytest.importorskip("web_site")
pytest.importorskip("schemathesis")

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from web_site import serving

from hashret.web import create_app

# A description needs no collection.
PATHS = create_app("none")._application.openapi()["paths"]
OPERATIONS = [
    pytest.param(mode, method, path, id=f"{mode.value} {method} {path}")
    for path, methods in PATHS.items()
    for method, described in methods.items()
    # Nothing can be wrong where nothing is given.
    for mode in list(GenerationMode)[: 2 if {"parameters", "requestBody"} & described.keys() else 1]
]
ANY = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def description(untouched, tmp_path_factory):
    # Of a site of its own: decisions are made and taken back.
    folder = tmp_path_factory.mktemp("site") / "photos"
    with serving(shutil.copytree(untouched, folder)) as url:
        yield schemathesis.openapi.from_url(f"{url}openapi.json")


@pytest.mark.parametrize(("mode", "method", "path"), OPERATIONS)
def test_every_answer_is_as_described_and_no_error_of_the_server(description, mode, method, path):
    operation = description[path][method]

    @ANY
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        # A body can be bytes but no picture, an id a number but of no image.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    ask()
