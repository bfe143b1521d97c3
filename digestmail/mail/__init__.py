"""Mail: everything between an edition and the octets of a message: templates, headers, encoding, DKIM, tokens.

No sockets and no SQL: a transport carries what is made here.
"""
