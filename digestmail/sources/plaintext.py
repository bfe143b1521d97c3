"""Plain text out of what feeds call HTML, without losing words that only look like tags."""

from __future__ import annotations

import html
import re

from digestmail.sources.bounds import shortened
from digestmail.text.scripts import script_of_markup

TEXT_LIMIT = 5_000
"""Characters of a text that are kept: more than any abstract, less than a whole blog post."""

_RAW_LIMIT = 100_000
_INLINE = (
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|data|del|dfn|em|font|i|ins|kbd|label|mark|nobr|q|samp|small|span|"
    "strike|strong|time|tt|u|var|wbr"
)
_BLOCK = (
    "address|article|aside|audio|blockquote|br|button|caption|center|dd|details|div|dl|dt|embed|figcaption|figure|"
    "footer|form|h1|h2|h3|h4|h5|h6|header|hr|iframe|img|input|li|main|nav|object|ol|option|p|picture|pre|section|"
    "select|source|summary|svg|table|tbody|td|textarea|tfoot|th|thead|tr|ul|video"
)
_BOOLEAN = (
    "allowfullscreen|async|autoplay|checked|compact|controls|defer|disabled|hidden|ismap|loop|multiple|muted|nowrap|"
    "open|playsinline|readonly|required|reversed|selected"
)
# A page's frame, SVG and MathML: names that language models and programs use for other things, so that they are tags
# only where the text is HTML for certain.
_ALSO = (
    "annotation|applet|area|base|basefont|body|canvas|circle|col|colgroup|defs|dialog|ellipse|fieldset|foreignobject|"
    "g|head|hgroup|html|legend|line|link|map|math|menclose|menu|meta|meter|mfenced|mfrac|mi|mml|mn|mo|mover|mpadded|"
    "mprescripts|mroot|mrow|ms|mspace|msqrt|mstyle|msub|msubsup|msup|mtable|mtd|mtext|mtr|munder|munderover|none|"
    "noscript|optgroup|output|param|path|polygon|progress|rect|rp|rt|ruby|semantics|slot|template|title|track|use"
)
_PREFIXES = "ce|fb|html|jats|m|math|mml|o|sb|st1|svg|v|w|xhtml"
# Every repetition is possessive and no part may hold a `<`, so that hostile text costs linear time. An attribute
# needs its `=` or a known name: in "a<b and c>d" nothing is a tag.
_ATTRIBUTE = rf"""\s++(?:[\w:-]++\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+'|[^\s"'<>]++)|(?:{_BOOLEAN}|data-[\w-]++)(?![\w=-]))"""
_INLINE_TAG = re.compile(rf"</?(?:{_INLINE})(?:{_ATTRIBUTE})*+\s*+/?>", re.IGNORECASE)
_SCRIPT = re.compile(
    rf"<(?:(?:{_PREFIXES}):)?(su[bp])(?:{_ATTRIBUTE})*+\s*+>([^<>]{{1,60}}+)</(?:(?:{_PREFIXES}):)?\1\s*+>",
    re.IGNORECASE,
)
_SCRIPT_TAG = re.compile(rf"</?(?:(?:{_PREFIXES}):)?su[bp](?:{_ATTRIBUTE})*+\s*+/?>", re.IGNORECASE)
_BLOCK_TAG = re.compile(rf"</?(?:{_BLOCK})(?:{_ATTRIBUTE})*+\s*+/?>", re.IGNORECASE)
_FOREIGN_BLOCK = re.compile(
    rf"</?(?:{_PREFIXES}):(?:abstract|br|div|disp-\w++|h[1-6]|li|list(?:-item)?|p|para|sec|section(?:-title)?|simple-para|"
    rf"t[dhr]|table|title|ul)(?:{_ATTRIBUTE})*+\s*+/?>",
    re.IGNORECASE,
)
# What publishers and editors leave: `jats:p` (Crossref), `mml:math`, `o:p` (Word), custom elements such as `g-emoji`.
_FOREIGN_TAG = re.compile(
    rf"</?(?:(?:{_PREFIXES}):(?!su[bp]\b)[a-z][\w-]*+(?:{_ATTRIBUTE})*+|[a-z]\w*+-[\w-]++(?:{_ATTRIBUTE})++)\s*+/?>",
    re.IGNORECASE,
)
_CERTAIN_TAG = re.compile(
    rf"</?(?:{_ALSO}|[a-z]\w*+-[\w-]++)(?:{_ATTRIBUTE})*+\s*+/?>|<!doctype[^<>]*+>", re.IGNORECASE
)
_ANY_TAG = re.compile(r"""</?[a-z][^\s<>/]*+(?:\s++(?:"[^"<]*+"|'[^'<]*+'|[^"'<>])*+)?/?>""", re.IGNORECASE)
# Language models write `<s>` too, but not around a text without blanks inside.
_STRUCK = re.compile(r"<s>(?=[^\s<])([^<]{0,2000}+)(?<=[^\s<])</s>", re.IGNORECASE)
_SURELY_HTML = re.compile(
    r"""<(?:/(?:p|div|ul|ol|li|a|em|strong|blockquote|h[1-6]|table|td|pre|span|b|i|code|sup|sub)|(?:br|hr)\s*+/?|"""
    r"""(?:p|div|a|img|span|ul|table|h[1-6])\s++[a-z-]++\s*+=[^<>]*+)>""",
    re.IGNORECASE,
)
# What no reader sees, and how it ends.
_UNSEEN = (
    (re.compile(r"<!--.*?-->", re.DOTALL), re.compile(r"-->")),
    (re.compile(r"<script\b[^<>]*+>.*?</script>", re.IGNORECASE | re.DOTALL), re.compile(r"</script>", re.IGNORECASE)),
    (re.compile(r"<style\b[^<>]*+>.*?</style>", re.IGNORECASE | re.DOTALL), re.compile(r"</style>", re.IGNORECASE)),
    (
        # The TeX of a formula, beside its MathML.
        re.compile(r"<(?:mml:)?annotation\b[^<>]*+>.*?</(?:mml:)?annotation>", re.IGNORECASE | re.DOTALL),
        re.compile(r"</(?:mml:)?annotation>", re.IGNORECASE),
    ),
)
# Only with its semicolon: html.unescape alone would read `&para=2` in an address as a paragraph sign.
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def plain_text(markup: str) -> str:
    """Return `markup` without HTML: known tags go, anything else in angle brackets is text and stays.

    A sanitiser would drop `<think>` or `<EOS>`, and a regex for any tag would eat half of "a<b and c>d". White space
    is left as it is, but the text ends at a word after `TEXT_LIMIT` characters.
    """
    return shortened(_decode(_without_tags(markup[:_RAW_LIMIT])), TEXT_LIMIT)


def plain_text_of_double_escaped(markup: str) -> str:
    """Return the same for a text that some feeds escape twice: without any tag, `&lt;p&gt;` is a tag too."""
    markup = markup[:_RAW_LIMIT]
    if not _SURELY_HTML.search(markup):
        return plain_text(_decode(_without_tags(markup)))
    # What is escaped in HTML is text, "the &lt;table&gt; element", but `&amp;amp;` there is a slip.
    return shortened(_decode(_decode(_without_tags(markup))), TEXT_LIMIT)


def plain_text_of_xhtml(markup: str) -> str:
    """Return the text of XHTML, as an XML parser wrote it down again: there every tag is one."""
    text = _ANY_TAG.sub("", _BLOCK_TAG.sub(" ", _with_scripts(_without_all_unseen(markup[:_RAW_LIMIT]))))
    return shortened(_decode(text), TEXT_LIMIT)


def plain_text_of_text(text: str) -> str:
    """Return a text that is called plain as it is, unless it is HTML beyond doubt, or escaped though it has no tags."""
    if _SURELY_HTML.search(text, 0, _RAW_LIMIT):
        return plain_text_of_double_escaped(text)
    return shortened(text if "<" in text else _decode(text[:_RAW_LIMIT]), TEXT_LIMIT)


def _without_tags(text: str) -> str:
    if "<" not in text:
        return text
    certain = _SURELY_HTML.search(text) is not None
    text = _without_all_unseen(text)
    if certain:
        text = _CERTAIN_TAG.sub("", text)
    text = _INLINE_TAG.sub("", _BLOCK_TAG.sub(" ", _FOREIGN_TAG.sub("", _FOREIGN_BLOCK.sub(" ", text))))
    return _SCRIPT_TAG.sub("", _with_scripts(_STRUCK.sub(r"\1", text)))


def _with_scripts(text: str) -> str:
    """Return `text` with its exponents and indices as signs: without them, 10<sup>4</sup> would read as 104."""
    return _SCRIPT.sub(_script, text)


def _script(found: re.Match[str]) -> str:
    text = _decode(found[2])
    script = script_of_markup(found[1], text)
    return found[2] if script == text else script


def _without_all_unseen(text: str) -> str:
    for whole, closing in _UNSEEN:
        text = _without_unseen(text, whole, closing)
    return text


def _without_unseen(text: str, whole: re.Pattern[str], closing: re.Pattern[str]) -> str:
    """Look only up to the last closing tag: behind it every opening one would search the whole rest in vain."""
    end = max((match.end() for match in closing.finditer(text)), default=0)
    return whole.sub(" ", text[:end]) + text[end:]


def _decode(text: str) -> str:
    return _REFERENCE.sub(lambda reference: html.unescape(reference[0]), text)
