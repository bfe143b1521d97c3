"""Requests generated from the OpenAPI document: no response is a server error or violates the schema."""

from __future__ import annotations

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from websites import TOKEN, open_app, publish, served

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
OPERATIONS = 14


@pytest.fixture
def schema(database, database_url):
    publish(database, 0)
    with open_app(database_url, base_url=None, webhook_secret=TOKEN) as app, served(app) as address:
        yield schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")


@pytest.mark.filterwarnings("ignore::Warning:schemathesis", "ignore::Warning:jsonschema_rs")
def test_the_api_matches_its_openapi_document(schema):
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        tried += 1

        @settings(
            max_examples=int(os.environ.get("TEST_DIGESTMAIL_EXAMPLES", "12")),
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case):
            case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"}, checks=CHECKS)

        check()
    assert tried == OPERATIONS
