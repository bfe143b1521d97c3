"""Compiled templates, shared by the environments of a process: compiling one takes longer than rendering it."""

from __future__ import annotations

from types import CodeType
from typing import Final

import jinja2
from jinja2.bccache import Bucket

_compiled: Final[dict[tuple[str, str], tuple[str, CodeType]]] = {}
"""Checksum of the source, and code, by variant and cache key."""


class CompiledTemplates(jinja2.BytecodeCache):
    """A bytecode cache in memory (https://jinja.palletsprojects.com/en/stable/api/#bytecode-cache).

    Jinja2 evaluates filters of constants when it compiles. So only environments of one `variant` share code: they have
    the same options, and the same filters under the same names. A file that changed is compiled again.
    """

    def __init__(self, variant: str) -> None:
        """`variant` names the kind of environment, and its language."""
        self._variant = variant

    def load_bytecode(self, bucket: Bucket) -> None:
        """Set `bucket.code`, if this source was compiled before."""
        checksum, code = _compiled.get((self._variant, bucket.key), ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of `bucket`, instead of that of an earlier source of the same file."""
        if bucket.code is not None:
            _compiled[self._variant, bucket.key] = bucket.checksum, bucket.code
