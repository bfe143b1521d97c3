"""`[[outputs]]`: one table for each kind of output beside email."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator, Field, SecretStr

from digestmail.config.fetched import HeaderValue
from digestmail.config.profile import ZoteroLibrary
from digestmail.config.values import FeedAddress, Line, Name, Table, WebAddress


def check_webhook_secrets(value: SecretStr) -> SecretStr:
    """Return `value` if it is one or more webhook secrets between blanks. Raises ValueError, which does not show it."""
    from digestmail.outputs.webhook import secret_key

    secrets = value.get_secret_value().split()
    if not secrets:
        raise ValueError("contains no secret")
    for secret in secrets:
        secret_key(secret)
    return value


def _check_address(value: str) -> str:
    from digestmail.errors import SourceRefusedError
    from digestmail.sources.http.ssrf import parse_target

    try:
        parse_target(value)
    except SourceRefusedError as error:
        raise ValueError(str(error)) from error
    return value


WebhookSecrets = Annotated[SecretStr, AfterValidator(check_webhook_secrets)]
WebhookAddress = Annotated[FeedAddress, AfterValidator(_check_address)]


class _OutputTable(Table):
    """What every output has."""

    about: ClassVar[str]
    """What the output does, in a few words."""
    name: Name
    digests: tuple[Name, ...] | None = None
    """All if None. An empty list is for outputs that get alerts only."""
    timeout: float = Field(default=20.0, ge=1, le=60)


class WebhookTable(_OutputTable):
    """`[[outputs]]` with `kind = "webhook"`."""

    about: ClassVar[str] = "a signed POST for each edition"
    kind: Literal["webhook"]
    url: WebhookAddress
    secret: WebhookSecrets | None = None
    secret_file: Path | None = None


class AppriseTable(_OutputTable):
    """`[[outputs]]` with `kind = "apprise"`."""

    about: ClassVar[str] = "a short text to chats"
    kind: Literal["apprise"]
    urls: tuple[SecretStr, ...] = ()
    urls_file: Path | None = None


class FilesTable(_OutputTable):
    """`[[outputs]]` with `kind = "files"`."""

    about: ClassVar[str] = "a folder of Markdown files or web pages"
    kind: Literal["files"]
    path: Path
    format: Literal["markdown", "html"] = "html"


class ZoteroOutputTable(_OutputTable):
    """`[[outputs]]` with `kind = "zotero"`."""

    about: ClassVar[str] = "papers into a collection of Zotero"
    kind: Literal["zotero"]
    library: ZoteroLibrary
    collection: Line
    api_key: HeaderValue | None = None
    api_key_file: Path | None = None
    url: WebAddress = "https://api.zotero.org"


AnyOutput = WebhookTable | AppriseTable | FilesTable | ZoteroOutputTable
OUTPUT_TABLES: dict[str, type[AnyOutput]] = {
    get_args(table.model_fields["kind"].annotation)[0]: table for table in get_args(AnyOutput)
}
"""The tables of [[outputs]] by their kind."""
OutputTable = Annotated[AnyOutput, Field(discriminator="kind")]
