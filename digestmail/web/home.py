"""The home page: the latest edition of the first digest."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from digestmail.web.pages import page

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(request: Request) -> HTMLResponse:
    """Show the latest edition."""
    return page(request, "home.html", shared=True, canonical="/")
