"""`/metrics`: the status for Prometheus. It requires the metrics token."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from digestmail.status.metrics import MEDIA_TYPE, metrics
from digestmail.status.overview import status
from digestmail.text.credentials import matches
from digestmail.web.query_params import app_of

router = APIRouter(include_in_schema=False)
_FRESH = {"Cache-Control": "no-store"}
_MISSING = "install prometheus-client: pip install 'digestmail[metrics]'\n"


@router.get("/metrics")
def get_metrics(request: Request) -> Response:
    """Return the metrics; 401 without the metrics token, 501 if prometheus-client is not installed."""
    app = app_of(request)
    token = app.config.web.metrics_token
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not matches(given.strip(), token.get_secret_value() if token else None):
        refused = _FRESH | {"WWW-Authenticate": "Bearer"}
        return PlainTextResponse("the metrics token is missing or wrong\n", status_code=401, headers=refused)
    try:
        return Response(metrics(status(app, editions=0)), media_type=MEDIA_TYPE, headers=_FRESH)
    except ImportError:
        return PlainTextResponse(_MISSING, status_code=501, headers=_FRESH)
