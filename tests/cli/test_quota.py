"""A quota that is used up, as an operator sees it: the report, `check`, `deliveries resume`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from clirun import digestmail

from digestmail.demo.services import serving

sys.path.append(str(Path(__file__).parents[1] / "transports"))
from scripted import scripted

PEOPLE = [f"p{number}@d{number}.example" for number in range(6)]
NOW = "2026-04-02T12:00:00Z"
CONFIG = """
database = "sqlite:///digestmail.db"
[mail]
sender = "digest@example.org"
[mail.smtp]
host = "127.0.0.1"
port = {port}
ehlo_name = "mail.example.org"
[network]
allow_private_hosts = ["127.0.0.1"]
[[sources]]
name = "huggingface"
kind = "huggingface"
base_url = "{services}"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["huggingface"]
"""


@pytest.mark.parametrize("fallback", [False, True])
def test_a_used_up_quota_is_said_kept_and_resumed(tmp_path, fallback):
    quota = {"END": ["250 ok", "250 ok", *["550 5.4.5 Daily sending quota exceeded"] * 99]}
    with serving() as services, scripted(quota) as server, scripted() as spare:
        config = CONFIG.format(port=server.port, services=services)
        if fallback:
            config = config.replace("[network]", f'[mail.fallback]\nhost = "127.0.0.1"\nport = {spare.port}\n[network]')
        (tmp_path / "config.toml").write_text(config, "utf-8")
        for address in PEOPLE:
            digestmail(tmp_path, "subscribers", "add", address, "--digest", "daily")
        said = digestmail(tmp_path, "run", "--now", NOW, status=0 if fallback else 1)
        assert server.commands[0] == "EHLO mail.example.org"
        checked = digestmail(tmp_path, "check", status=1)
        assert re.search(r"is paused until \S+ \S+ \S+ UTC: the message was answered with 550 5.4.5 Daily", checked)
        assert digestmail(tmp_path, "deliveries", "list", "--state", "failed") == ""
        if fallback:
            assert len(server.messages) + len(spare.messages) == 6
            return
        assert "2 sent" in said
        assert "Daily sending quota exceeded" in said
        talked = server.connections
        assert "is paused until" in digestmail(tmp_path, "deliver", status=1)
        assert server.connections == talked
        server.answers.clear()
        assert "1 mail server tried again" in digestmail(tmp_path, "deliveries", "resume")
        assert "4 sent" in digestmail(tmp_path, "deliver")
        assert sorted(one.recipients[0] for one in server.messages) == PEOPLE
