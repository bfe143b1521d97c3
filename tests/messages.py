"""Every message of the mails and pages that is to be translated, found in the templates and the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_dir

import digestmail
from digestmail.mail.template_files import templates_directory

PACKAGE = Path(digestmail.__file__).parent
_TEMPLATES = [("email/**.*", "jinja2.ext.babel_extract"), ("web/*.html", "jinja2.ext.babel_extract")]
_CODE = (
    "web/*.py",
    "subscribers/*.py",
    "text/addresses.py",
    "papers/library_ids.py",
    "mail/link_tokens.py",
    "mail/sealing.py",
)
_NOT_PAGES = {
    "admin.py",
    "admin_views.py",
    "api.py",
    "csv_format.py",
    "csv_import.py",
    "csv_transfer.py",
    "idempotency.py",
    "webhooks.py",
}
"""Modules whose errors only programs and operators see."""
_ARGUMENTS = {
    "translate": 1,
    "_marked": 0,
    "_error_response": 2,
    "TokenError": 0,
    "SubscriptionError": 0,
    "HTTPException": 1,
}
"""The position of the message in the arguments of a call."""


def messages() -> set[str | tuple[str, ...]]:
    """Return every message, in English; one with a plural is a pair."""
    found = extract_from_dir(
        templates_directory(), method_map=_TEMPLATES, options_map={"**.*": {"encoding": "utf-8", "silent": "false"}}
    )
    return {message for _, _, message, _, _ in found} | set(_of_the_code())


def _of_the_code() -> Iterator[str]:
    for pattern in _CODE:
        for path in PACKAGE.glob(pattern):
            if path.name not in _NOT_PAGES:
                yield from messages_of(path.read_text("utf-8"))


def messages_of(source: str) -> Iterator[str]:
    """Yield the messages of a module: literals, both sides of a condition, but no f-string."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        position = _ARGUMENTS.get(name, len(call.args))
        if position < len(call.args):
            yield from _literals(call.args[position])


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
