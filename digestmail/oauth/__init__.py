"""OAuth 2 access tokens for mail servers: from a token endpoint, a program or a file; and signing in.

What knows a grant, a token endpoint or a provider of tokens belongs here. How a token is sent to a mail server is in
`transports/sasl`.
"""
