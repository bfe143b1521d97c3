#!/usr/bin/env bash
# dkimpy 1.1.8, dkim.verify() on a message with two signatures of one domain.
# Expected: true if one of the signatures verifies, as RFC 6376 section 6.1 advises verifiers.
# Seen: only the topmost signature is looked at. A message whose first key is not in the DNS (any more) and whose second one is
# counts as unsigned; DKIM(message).verify(idx=1) finds the good one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "dkimpy==1.1.8" "cryptography==46.0.3"
"$folder/venv/bin/python" - <<'PYTHON'
import base64
from importlib.metadata import version

import dkim
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

records = {}


def sign(message, selector):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    records[selector + b"._domainkey.example.org."] = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return dkim.sign(message, selector, b"example.org", private) + message


def lookup(name, timeout=5):
    return records.get(name)


message = b"From: digest@example.org\r\nTo: reader@example.net\r\nSubject: s\r\n\r\nbody\r\n"
message = sign(sign(message, b"below"), b"top")
both = dkim.verify(message, dnsfunc=lookup)
del records[b"top._domainkey.example.org."]
seen = (both, dkim.verify(message, dnsfunc=lookup), dkim.DKIM(message).verify(idx=1, dnsfunc=lookup))
print("dkimpy", version("dkimpy"), "both keys, only the lower key, the lower signature by number:", seen)
assert seen == (True, False, True)
PYTHON
