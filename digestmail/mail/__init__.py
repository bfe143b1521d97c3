"""Email: turns editions and notices into messages (templates, headers, encoding, DKIM, tokens).

This package opens no sockets and contains no SQL.
"""
