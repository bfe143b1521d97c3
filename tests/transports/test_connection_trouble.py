"""What an operator reads when no connection to a mail server can be made."""

import ssl

import pytest

from digestmail.transports.tls import connection_trouble


@pytest.mark.parametrize(
    ("trouble", "advice"),
    [
        ("certificate has expired", "needs a new one, or the clock of this machine is wrong"),
        ("certificate is not yet valid", "needs a new one, or the clock of this machine is wrong"),
        ("IP address mismatch, certificate is not valid for '192.0.2.1'.", "set server_name"),
        ("self-signed certificate in certificate chain", "set ca_file"),
    ],
)
def test_each_fault_of_a_certificate_has_its_own_advice(trouble: str, advice: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = trouble
    assert advice in connection_trouble(error)


@pytest.mark.parametrize(
    "words",
    ["[SSL: WRONG_VERSION_NUMBER] wrong version number", "[SSL] packet length too long", "[SSL] record layer failure"],
)
def test_an_answer_in_clear_names_the_mode_that_begins_so(words: str) -> None:
    assert 'set security = "starttls"' in connection_trouble(ssl.SSLError(1, words))


def test_of_a_library_s_error_only_the_cause_is_shown() -> None:
    outer = RuntimeError("Error connecting to relay on port 587: [Errno 111] Connection refused")
    outer.__cause__ = ConnectionRefusedError(111, "Connection refused")
    assert connection_trouble(outer) == "Connection refused"
