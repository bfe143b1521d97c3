"""Emulators of Semantic Scholar and OpenAlex, in the shapes of their documentation, with faults."""

from __future__ import annotations

import json
from typing import Any

from werkzeug import Request, Response


class SemanticScholarServer:
    """Knows the papers in `known`, by id as it is asked for; refuses requests with an id in `broken`."""

    def __init__(self, httpserver: Any) -> None:
        self.known: dict[str, Any] = {}
        self.broken: dict[str, int] = {}
        self.requests: list[Request] = []
        self.fault: Response | None = None
        httpserver.expect_request("/graph/v1/paper/batch", method="POST").respond_with_handler(self._answer)

    @property
    def asked(self) -> list[list[str]]:
        """The ids of each request."""
        return [request.get_json()["ids"] for request in self.requests]

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        ids = request.get_json()["ids"]
        if self.fault is not None:
            return self.fault
        if broken := [self.broken[one] for one in ids if one in self.broken]:
            error = {"error": "No valid paper ids given"} if broken[0] == 400 else {"message": "Internal Server Error"}
            return Response(json.dumps(error), status=broken[0], content_type="application/json")
        found = [self.known.get(one) for one in ids]
        if not any(found):
            return Response('{"error": "No valid paper ids given"}', status=400, content_type="application/json")
        return Response(json.dumps(found), content_type="application/json")


def s2_paper(arxiv: str | None = None, doi: str | None = None, citations: Any = 7, **fields: Any) -> dict[str, Any]:
    """Return a paper as Semantic Scholar describes it."""
    ids = {"CorpusId": 1} | ({"ArXiv": arxiv} if arxiv else {}) | ({"DOI": doi} if doi else {})
    made = {"paperId": "0a" * 20, "externalIds": ids, "citationCount": citations, "venue": "arXiv.org"}
    return made | {"publicationVenue": None} | fields


class OpenAlexServer:
    """Has `works`, and answers with those whose DOI is asked for, in its own order."""

    def __init__(self, httpserver: Any) -> None:
        self.works: list[Any] = []
        self.requests: list[Request] = []
        self.fault: Response | None = None
        httpserver.expect_request("/works", method="GET").respond_with_handler(self._answer)

    @property
    def asked(self) -> list[list[str]]:
        """The DOIs of each request."""
        return [request.args["filter"].removeprefix("doi:").split("|") for request in self.requests]

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        if self.fault is not None:
            return self.fault
        results = list(reversed(self.works))
        return Response(
            json.dumps({"meta": {"count": len(results)}, "results": results}), content_type="application/json"
        )


def work(doi: str | None, citations: Any = 7, *places: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a work as OpenAlex describes it."""
    made = {
        "id": "https://openalex.org/W123",
        "doi": f"https://doi.org/{doi}" if doi else None,
        "cited_by_count": citations,
        "primary_location": places[0] if places else None,
        "locations": list(places),
    }
    return made | fields


def place(name: str, kind: str = "journal", link: str | None = None) -> dict[str, Any]:
    """Return a location of a work."""
    return {"landing_page_url": link, "source": {"display_name": name, "type": kind}}
