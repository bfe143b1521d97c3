"""What a reading list at an external service is read into, the same for all services."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import PaperId, Skipped
from digestmail.papers.identity import find_arxiv_id, find_doi, identify
from digestmail.sources.base import Answer
from digestmail.sources.bounds import LONGEST_TEXT, check_json, shortened
from digestmail.sources.parsed import beginning
from digestmail.sources.plaintext import plain_text
from digestmail.text.tex import readable

MOST_PAPERS: Final = 500
"""Papers of one list."""
_LONGEST_TITLE: Final = 1_000
_LONGEST_ABSTRACT: Final = 20_000
_LONGEST_VALIDATOR: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPaper:
    """A paper of a reading list. Texts are plain text."""

    title: str
    """Empty if the list has only the ids."""
    abstract: str = ""
    ids: tuple[PaperId, ...] = ()
    """The ids of the paper, if the list has any; an arXiv id comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReading:
    """The result of reading a list once."""

    papers: tuple[ListedPaper, ...] = ()
    """At most `MOST_PAPERS`, the newest first if the service knows."""
    skipped: tuple[Skipped, ...] = ()
    """The records that are no papers to know, and why."""
    unchanged: bool = False
    """Whether the service answered that nothing changed since the last reading."""
    validator: str = ""
    """What to send with the next reading, so that an unchanged list is not transferred; empty if there is none."""


class ReadingListService(Protocol):
    """A service that lists papers."""

    def read(self, reference: str, validator: str = "") -> ListReading:
        """Read the list `reference`, in the spelling of `papers.library_ids`.

        `validator` is that of the last complete reading. Raises SourceError if the list could not be read completely.
        """
        ...


def list_reading(results: Iterable[ListedPaper | Skipped], validator: str = "") -> ListReading:
    """Divide what became of the records, and keep the first `MOST_PAPERS` papers. Later papers count as skipped."""
    papers: list[ListedPaper] = []
    skipped: list[Skipped] = []
    for result in results:
        if isinstance(result, Skipped):
            skipped.append(result)
        elif len(papers) < MOST_PAPERS:
            papers.append(result)
        else:
            skipped.append(Skipped(entry=result.title[:200], reason=f"the list has more than {MOST_PAPERS} papers"))
    return ListReading(papers=tuple(papers), skipped=tuple(skipped), validator=validator)


def listed_paper(
    title: str, abstract: str, named: Iterable[str], position: int, *, markup: bool = True
) -> ListedPaper | Skipped:
    """Return a paper with its texts made readable. `named` are texts that may contain an arXiv id or a DOI.

    With `markup` the texts may contain HTML. A record without a title is skipped.
    """
    texts = [title[:LONGEST_TEXT], abstract[:LONGEST_TEXT]]
    plain, plain_abstract = (readable(plain_text(text) if markup else text) for text in texts)
    if not plain:
        return Skipped(entry=f"record {position}", reason="no title")
    return ListedPaper(
        title=shortened(plain, _LONGEST_TITLE), abstract=shortened(plain_abstract, _LONGEST_ABSTRACT), ids=ids_in(named)
    )


def ids_in(named: Iterable[str]) -> tuple[PaperId, ...]:
    """Return the ids of a paper that is named by these texts, the first arXiv id and the first DOI among them."""
    texts = [text[:LONGEST_TEXT] for text in named if text]
    arxiv_id = next(filter(None, map(find_arxiv_id, texts)), None)
    doi = next(filter(None, map(find_doi, texts)), None)
    identity = identify(arxiv=arxiv_id, doi=doi)
    return () if identity is None else (identity[0], *identity[1])


def parse_json(body: bytes) -> Any:
    """Return the JSON document in `body`. Raises SourceUnreadableError if it is none, or too expensive to parse."""
    try:
        document = body.decode("utf-8-sig", "replace")
        check_json(document)
        return json.loads(document)
    except (ValueError, RecursionError) as error:
        raise SourceUnreadableError(f"the answer is not JSON ({error}): {beginning(body)}") from error


def mapping_of(value: object) -> Mapping[str, Any]:
    """Return a JSON object; an empty one if `value` is none."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """Return a JSON array; an empty one if `value` is none."""
    return value if isinstance(value, list) else []


def string_of(value: object) -> str:
    """Return a JSON string; an empty one if `value` is none."""
    return value if isinstance(value, str) else ""


def condition(validator: str) -> dict[str, str]:
    """Return the header field that asks for a document only if its ETag is no longer `validator`."""
    return {"If-None-Match": validator} if validator else {}


def etag_of(answer: Answer) -> str:
    """Return the ETag of an answer, to send with the next reading; empty if there is none."""
    etag = answer.validators.etag or ""
    return etag if len(etag) <= _LONGEST_VALIDATOR else ""
