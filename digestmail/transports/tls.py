"""TLS for the servers mail goes to and comes from: whose certificates are trusted, and for which name."""

from __future__ import annotations

import ssl
from pathlib import Path


class _NamedContext(ssl.SSLContext):
    """Asks for, and verifies, one name, whatever address was connected to.

    asyncio and uvloop make every TLS connection by `wrap_bio`, and offer no other way to say the name for each of TCP,
    a local socket and STARTTLS.
    """

    server_name: str | None = None

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - the signature of the standard library
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Wrap as usual, under the name that was given."""
        return super().wrap_bio(incoming, outgoing, server_side, self.server_name or server_hostname, session)


def client_context(*, ca_file: Path | None = None, server_name: str | None = None) -> ssl.SSLContext:
    """Return what verifies a server's certificate.

    `ca_file` holds, as PEM, the authorities to trust instead of the system's, or the server's own self-signed
    certificate. `server_name` is the name asked for by SNI (RFC 6066 section 3) and looked for in the certificate, in
    place of the host connected to. Raises OSError when the file cannot be read or holds no certificate.
    """
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = server_name
    if ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError as error:
        raise OSError(f"{ca_file} holds no certificate in PEM") from error
    # What you name is trusted, be it a root, an intermediate authority or the server's own certificate.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


_NOT_TLS = ("wrong version number", "packet length too long", "record layer failure")
"""OpenSSL's words for an answer that is not TLS; which of them depends on the first bytes and the version."""


def connection_trouble(error: Exception) -> str:
    """Return why a connection to a mail server failed, and which key mends it, if it is known.

    Of a library's error, the cause counts: its own words repeat the host and port.
    """
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {cause.verify_message.rstrip('.')}{_certificate_advice(cause)}"
    if isinstance(cause, ssl.SSLError) and any(words in str(cause).lower() for words in _NOT_TLS):
        return 'this port does not begin with TLS: set security = "starttls", or use another port (usually 465)'
    if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, ssl.SSLError):
        return cause.strerror
    return str(cause)


def _certificate_advice(error: ssl.SSLCertVerificationError) -> str:
    words = error.verify_message.lower()
    if "mismatch" in words:
        return "; set server_name to the name in the certificate"
    if "expired" in words or "not yet valid" in words:
        return "; the server needs a new one, or the clock of this machine is wrong"
    return "; set ca_file to a PEM file with its authority, or with the certificate itself if it is self-signed"
