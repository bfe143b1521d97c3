"""Inbound reports read from bytes: bounces, complaints and automatic replies. Pure."""
