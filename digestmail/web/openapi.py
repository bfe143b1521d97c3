"""The OpenAPI document, in which errors are problem documents."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_FIRST_ERROR: Final = 400
_JSON, _PROBLEM = "application/json", "application/problem+json"
_UNUSED: Final = ("HTTPValidationError", "ValidationError")


def describe(web: FastAPI) -> None:
    """Correct the OpenAPI document of `web`. FastAPI describes errors as plain JSON."""

    def document() -> dict[str, Any]:
        if web.openapi_schema is None:
            made = get_openapi(
                title=web.title, version=web.version, routes=web.routes, description="Papers, editions and search."
            )
            for path in made["paths"].values():
                for operation in path.values():
                    _errors(operation["responses"])
            for name in _UNUSED:
                made["components"]["schemas"].pop(name, None)
            web.openapi_schema = made
        return web.openapi_schema

    web.openapi = document  # type: ignore[method-assign] # FastAPI's documented way


def _errors(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        content = response.get("content", {})
        if int(status) >= _FIRST_ERROR and _JSON in content:
            content[_PROBLEM] = content.pop(_JSON)
