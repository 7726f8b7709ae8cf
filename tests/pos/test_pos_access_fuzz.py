"""The served OpenAPI, tried with what it allows and what it doesn't: no answer is a server error."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks

from edge_components.edgekit import config
from edge_components.pos.settings import Settings
from tests.pos.pos_process import ASSIGNMENT, Pos, sale

EXAMPLES = int(os.environ.get("GREENTILL_FUZZ_EXAMPLES", "12"))  # per call; more in a longer run


def _served() -> dict[str, object]:
    """The document as a till serves it, without starting one for the list of calls."""
    from edge_components.pos.api import create
    from edge_components.pos.nucleus import Nucleus
    from edge_components.pos.till import Till
    from edge_components.pos.updates import Updates

    values = config.build(Settings, {"data_dir": "/nonexistent"}).settings
    till = Till(values, committed=lambda: None)
    app = create(till, Nucleus({}, Updates(values, "boot")))
    found: dict[str, object] = json.loads(json.dumps(app.openapi()))
    return found


schema = schemathesis.openapi.from_dict(_served())


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pos]:
    till = Pos(tmp_path_factory.mktemp("fuzzed"), rules={"max_total": "100.00"}, tax_rates={"A": "0.2"})
    till.assign(**{**ASSIGNMENT, "terminals": ["T1", "0"]})
    till.start()
    yield till
    till.kill()
    till.client.close()


def test_what_is_served_is_what_is_tried(fuzzed):
    served = fuzzed.client.get("/openapi.json").json()
    assert served == schema.raw_schema
    assert {"/v1/sales", "/v1/terminals/pair", "/v1/cashiers/sign-in"} <= set(served["paths"])


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
    ],
)
def test_no_call_answers_with_a_server_error(case, fuzzed):
    response = case.call(base_url=fuzzed.url, timeout=120)
    assert response.status_code < 500, (response.status_code, response.text[:300])
    case.validate_response(response, checks=[checks.not_a_server_error, checks.response_schema_conformance])


def test_a_till_that_was_tried_so_still_sells_and_its_chain_holds(fuzzed):
    assert fuzzed.sell(sale()).status_code == 201
    assert fuzzed.stop() == 0
    fuzzed.start()
    assert fuzzed.sell(sale()).status_code == 201
    assert not list(Path(fuzzed.data).glob("set-aside/*"))
