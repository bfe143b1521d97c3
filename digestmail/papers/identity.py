"""Which paper is it? Ids in what sources write, and one paper made of two mentions of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from w3lib.url import canonicalize_url, url_query_cleaner

from digestmail.model.papers import AnnounceType, Paper, PaperId, Signals

# https://info.arxiv.org/help/arxiv_identifier.html, and the archives that gave ids before April 2007. The subject
# class is decoration: math.GT/0309136 is math/0309136.
_NEW_ID = r"(?P<new>[0-9]{2}(?:0[1-9]|1[0-2])\.[0-9]{4,5})"
_OLD_ID = (
    r"(?P<archive>acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|"
    r"cond-mat|cs|dg-ga|funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math-ph|math|mtrl-th|nlin|nucl-ex|nucl-th|"
    r"patt-sol|physics|plasm-ph|q-alg|q-bio|quant-ph|solv-int|supr-con)(?:\.[a-z]{2})?/"
    r"(?P<number>[0-9]{2}(?:0[1-9]|1[0-2])[0-9]{3})"
)
_ID = rf"(?:{_NEW_ID}|{_OLD_ID})(?:v[0-9]{{1,3}})?(?![\w-]|\.[0-9])"
_WHOLE_ID = re.compile(rf"\s*{_ID}\s*", re.IGNORECASE)
# In running text a number is only a number: one of these has to stand before it. The paths are those of arXiv, its
# mirrors, Hugging Face, alphaXiv and sites that summarise papers.
_NAMED_ID = re.compile(
    r"(?:(?<![a-z])arxiv(?:\.org)?[\s:./]{1,3}|/(?:abs|pdf|html|format|e-print|src|ps|papers?|p|overview)/|"
    rf"[?&](?:id|arxiv|arxiv_?id|paper|paper_?id)=){_ID}",
    re.IGNORECASE,
)

# 10.<registrant>/<anything>: https://www.doi.org/doi-handbook/HTML/doi-name-syntax.html
_DOI = re.compile(r"(?<![\w.])10\.[0-9]{4,9}(?:\.[0-9]{1,9}){0,3}(?:/|%2F)[^\s\"<>?#&]{3,300}", re.IGNORECASE)
# What a sentence or a publisher's URL puts behind a DOI.
_AFTER_DOI = re.compile(
    r"(?:[.,;:!'`*_|\\\u2019\u201d]|/(?:full|full-text|abstract|pdf|epdf|html|meta)?|\.(?:pdf|full|abstract|short))$"
)
# bioRxiv, medRxiv (both prefixes) and arXiv number their versions, in URLs also inside the DOI. ChemRxiv did so until
# 2025, TechRxiv until 2023; the DOI without a version is registered, too, as are those of eLife and Qeios.
_VERSIONED_DOI = re.compile(
    r"(10\.(?:1101|64898)/[0-9.]*[0-9]|10\.48550/arxiv\.[a-z0-9./-]*?[0-9]|"
    r"10\.26434/chemrxiv(?:-[0-9]{4}-[a-z0-9]{3,12}(?=-)|\.[0-9]{1,9}(?=\.))|"
    r"10\.36227/techrxiv\.[0-9]{1,12}(?=\.))[.-]?v[0-9]{1,3}(?![0-9]).*|"
    r"(10\.7554/elife\.[0-9]{4,6}|10\.32388/[a-z0-9]{6})\.[1-9][0-9]?(?![0-9]).*"
)
# ChemRxiv since 2026, Research Square, Preprints.org, the servers of OSF (PsyArXiv and others), TechRxiv, ESSOAr and
# Authorea register nothing but versions, and so do F1000 and journals like it: a paper is its first version.
_FIRST_VERSION = re.compile(
    r"((?:10\.26434/chemrxiv\.[0-9]{1,9}/|10\.21203/rs\.[0-9]\.rs-[0-9]{1,12}/|10\.20944/preprints[0-9]{6}\.[0-9]{4,6}\.|"
    r"10\.[0-9]{5}/osf\.io/[a-z0-9]{3,12}_|10\.36227/techrxiv\.[0-9.]{3,40}/|"
    r"10\.22541/(?:au|essoar)\.[0-9.]{3,40}/)v|10\.12688/[a-z0-9]{3,40}\.[0-9]{1,9}\.)[0-9]{1,3}(?![0-9]).*"
)
_ARXIV_DOI = "10.48550/arxiv."
_BRACKETS = {")": "(", "]": "[", "}": "{"}

_LONGEST_LINK = 2_000
_HOST = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?|\[[0-9a-f:.]+\]"
)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\]")
_TRACKING = re.compile(
    r"utm_\w+|(?:fb|g|dc|y|tw|ms)clid|mc_[ce]id|igshid|_hs(?:enc|mi)|mkt_tok|ref_src|at_(?:medium|campaign)|cmpid|rss",
    re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}

_KINDS = ("arxiv:", "doi:", "url:", "guid:")
_LONGEST_GUID = 300


def find_arxiv_id(text: str) -> str | None:
    """Return the first arXiv id in `text`, without version and subject class: `2604.00157`, `math/0309136`.

    A field that holds nothing but an id is one. In anything longer the id must be named as such: `arXiv:...`,
    `oai:arXiv.org:...`, or a URL as arXiv, Hugging Face, alphaXiv and their like build it.
    """
    found = _WHOLE_ID.fullmatch(text) or _NAMED_ID.search(text)
    if found is None:
        return None
    return found["new"] or f"{found['archive'].lower()}/{found['number']}"


def find_doi(text: str) -> str | None:
    """Return the first DOI in `text`, in lower case and without resolver, for preprint servers without version.

    If a preprint server registers nothing but versions, it is the DOI of the first one.

    Punctuation behind it, and what publishers' URLs append, is not part of it.
    """
    found = _DOI.search(text)
    if found is None:
        return None
    doi = _without_tail(unquote(found[0]).lower().split(maxsplit=1)[0])
    versioned = _VERSIONED_DOI.fullmatch(doi)
    doi = versioned[1] or versioned[2] if versioned else doi
    doi = f"{first[1]}1" if (first := _FIRST_VERSION.fullmatch(doi)) else doi
    return doi if _DOI.fullmatch(doi) and not _UNSAFE.search(doi) else None


def _without_tail(doi: str) -> str:
    while True:
        shorter = _AFTER_DOI.sub("", doi)
        # A closing bracket belongs to the DOI only if its opening one does: 10.1016/s0140-6736(05)67889-0.
        opening = _BRACKETS.get(shorter[-1:])
        if opening and shorter.count(opening) < shorter.count(shorter[-1]):
            shorter = shorter[:-1]
        if shorter == doi:
            return doi
        doi = shorter


def canonical_link(url: str) -> str | None:
    """Return the one spelling of an http(s) address, or None if it is not an address anybody should follow.

    Host in lower case, no fragment, no default port, no tracking parameters, the others sorted. Addresses without a
    host, with a user name, or with control characters or backslashes inside are refused.
    """
    url = url.strip()
    if len(url) > _LONGEST_LINK or _UNSAFE.search(url):
        return None
    try:
        canonical = canonicalize_url(_without_tracking(url))
        # Letters that are not ASCII become longer, and databases index only so much.
        return _with_plain_host(urlsplit(canonical)) if len(canonical) <= _LONGEST_LINK else None
    except ValueError:
        # A port out of range, a broken IPv6 address, a host IDNA cannot spell.
        return None


def _without_tracking(url: str) -> str:
    names = [name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True) if _TRACKING.fullmatch(name)]
    return url_query_cleaner(url, names, remove=True, unique=False) if names else url


def _with_plain_host(parts: SplitResult) -> str | None:
    host = (parts.hostname or "").rstrip(".")
    if ":" in host:
        host = f"[{host}]"
    if parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc or not _HOST.fullmatch(host):
        return None
    explicit = parts.port not in (None, _DEFAULT_PORTS[parts.scheme])
    return parts._replace(netloc=f"{host}:{parts.port}" if explicit else host, fragment="").geturl()


def identify(
    *, arxiv: str | None = None, doi: str | None = None, link: str | None = None
) -> tuple[PaperId, tuple[PaperId, ...]] | None:
    """Return the id of a paper and its other ids, sorted, from what is known of it; None if nothing identifies it.

    The arXiv id comes first, then the DOI, then the link. A DOI that arXiv gave is its arXiv id, and an address that
    holds an id is no id of its own.
    """
    found = tuple(dict.fromkeys(_ids(arxiv, doi, link)))
    return (found[0], tuple(sorted(found[1:]))) if found else None


def _ids(arxiv: str | None, doi: str | None, link: str | None) -> Iterator[PaperId]:
    link = link or ""
    link_arxiv, link_doi = find_arxiv_id(link), find_doi(link)
    doi = find_doi(doi or "") or link_doi
    arxiv = (
        find_arxiv_id(arxiv or "") or (find_arxiv_id(doi) if doi and doi.startswith(_ARXIV_DOI) else None) or link_arxiv
    )
    if arxiv:
        yield PaperId(f"arxiv:{arxiv}")
    if doi and not doi.startswith(_ARXIV_DOI):
        yield PaperId(f"doi:{doi}")
    canonical = None if link_arxiv or link_doi else canonical_link(link)
    if canonical:
        yield PaperId(f"url:{_either_scheme(canonical)}")


def _either_scheme(canonical: str) -> str:
    """Return an address that is the same for http and https: sites move from one to the other."""
    host = canonical.removeprefix("http://")
    moved = host != canonical and ":" not in host.partition("/")[0].rpartition("]")[2]
    return f"https://{host}" if moved else canonical


def guid_id(source: str, guid: str) -> PaperId | None:
    """Return the id of a paper that `source` names by a GUID of its own, None if that is empty.

    A GUID is unique within its feed only (https://www.rssboard.org/rss-specification#ltguidgtSubelementOfLtitemgt).
    One that is an address is the same for http and https, but its fragment counts.
    """
    guid = " ".join(guid.split())
    canonical = canonical_link(guid)
    if canonical:
        fragment = urlsplit(guid).fragment
        guid = _either_scheme(canonical) + (f"#{fragment}" if fragment else "")
    if len(guid) > _LONGEST_GUID:
        guid = sha256(guid.encode("utf-8", "replace")).hexdigest()
    return PaperId(f"guid:{source}:{guid}") if guid else None


def told_apart(paper: Paper, known: Paper) -> bool:
    """Return whether two papers differ, although they are found at one address: each has an id of one kind.

    Kinds are arXiv ids, DOIs, and the GUIDs of each source. The same title under the very same link is the same paper
    whatever the GUIDs are: some feeds make up new ones whenever they are written.
    """
    shared = {paper.id, *paper.aliases} & {known.id, *known.aliases}
    if not all(key.startswith("url:") for key in shared):
        return False
    kinds = _kinds_of(paper) & _kinds_of(known)
    same_entry = (paper.title.casefold(), _either_scheme(paper.link)) == (
        known.title.casefold(),
        _either_scheme(known.link),
    )
    return bool(kinds - {kind for kind in kinds if same_entry and kind.startswith("guid:")})


def _kinds_of(paper: Paper) -> set[str]:
    ids = [key for key in (paper.id, *paper.aliases) if not key.startswith("url:")]
    return {":".join(key.split(":", 2)[: 2 if key.startswith("guid:") else 1]) for key in ids}


def without_link(paper: Paper) -> Paper:
    """Return a paper that is known by everything but its address."""
    keys = sorted((key for key in (paper.id, *paper.aliases) if not key.startswith("url:")), key=_kind)
    return replace(paper, id=keys[0], aliases=tuple(sorted(keys[1:]))) if keys else paper


def union(known: Paper, new: Paper) -> Paper:
    """Return one paper that knows what both mentions say.

    Of two texts the one from the higher origin stays, on equal origins the newer; what one mention leaves empty the
    other fills. Once withdrawn stays withdrawn: most sources do not say, and nobody un-withdraws. For mentions from
    different origins the order makes no difference.
    """
    better, other = (new, known) if new.origin >= known.origin else (known, new)
    # Between ids of one kind the higher origin decides; on equal origins the paper keeps the id it is known by.
    by_preference = (known.id, new.id) if known.origin == new.origin else (better.id, other.id)
    paper_id = min(by_preference, key=_kind)
    titled = better if better.title else other
    abstracted = better if better.abstract else other
    return replace(
        better,
        id=paper_id,
        aliases=tuple(sorted({*known.aliases, *new.aliases, known.id, new.id} - {paper_id})),
        title=titled.title,
        raw_title=titled.raw_title,
        abstract=abstracted.abstract,
        raw_abstract=abstracted.raw_abstract,
        link=better.link or other.link,
        authors=better.authors or other.authors,
        categories=tuple(dict.fromkeys(better.categories + other.categories)),
        published_at=min((at for at in (better.published_at, other.published_at) if at), default=None),
        summary=better.summary or other.summary,
        keywords=better.keywords or other.keywords,
        organization=better.organization or other.organization,
        comment=better.comment or other.comment,
        discussion_url=better.discussion_url or other.discussion_url,
        code_url=better.code_url or other.code_url,
        project_url=better.project_url or other.project_url,
        thumbnail_url=better.thumbnail_url or other.thumbnail_url,
        withdrawn=better.withdrawn or other.withdrawn,
    )


def _kind(paper_id: PaperId) -> int:
    return next((rank for rank, kind in enumerate(_KINDS) if paper_id.startswith(kind)), len(_KINDS))


_NEAREST = tuple(AnnounceType)
"""Of two words for one paper the earlier here counts: what is new somewhere is new."""


def highest(first: Signals, second: Signals) -> Signals:
    """Return the higher of each count; what is known beats what is not."""

    def higher(a: int | None, b: int | None) -> int | None:
        return b if a is None else a if b is None else max(a, b)

    return Signals(
        upvotes=higher(first.upvotes, second.upvotes),
        comments=higher(first.comments, second.comments),
        stars=higher(first.stars, second.stars),
        announce_type=min(filter(None, (first.announce_type, second.announce_type)), key=_NEAREST.index, default=None),
    )
