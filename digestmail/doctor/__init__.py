"""`digestmail doctor`: whether the outside fits the configuration: DNS, mail servers, web pages, clock, disk.

What asks the outside, and what judges its answers, belongs here. Each probe yields findings, and knows no other probe.
"""
