"""What the till tells of itself as OpenAPI costs nothing until somebody asks."""

from __future__ import annotations

from pathlib import Path

from fastapi.routing import APIRoute

from edge_components.pos.api import create
from edge_components.pos.nucleus import Nucleus
from edge_components.pos.settings import Settings
from edge_components.pos.till import Till
from edge_components.pos.updates import Updates


def test_the_models_of_answers_are_made_when_openapi_is_asked_for_and_not_at_start(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    app = create(Till(settings, committed=lambda: None), Nucleus({}, Updates(settings, "boot")))
    calls = [route for route in app.routes if isinstance(route, APIRoute)]
    assert calls
    assert not any(call.response_field or call.response_fields for call in calls)
    document = app.openapi()
    answers = document["paths"]["/v1/sales"]["post"]["responses"]
    assert answers["201"]["content"]["application/json"]["schema"]["$ref"].endswith("/Receipt")
    assert {"Receipt", "SaleRequest"} <= document["components"]["schemas"].keys()
    assert document is app.openapi()
