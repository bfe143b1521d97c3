"""Bounces and complaints as email providers post them, read from their JSON. Pure."""
