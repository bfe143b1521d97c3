"""The program answers at once: only the CLI library is in the path of `--help`."""

from __future__ import annotations

import subprocess
import sys


def modules_after(code: str) -> set[str]:
    output = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"], check=True, capture_output=True, text=True
    )
    return set(output.stdout.split())


def test_help_loads_nothing_that_a_bare_typer_program_would_not():
    bare = modules_after("import typer; typer.main.get_command(typer.Typer(callback=lambda: None))")
    ours = modules_after("import typer; from digestmail.cli.main import app; typer.main.get_command(app)")
    extra = {name for name in ours - bare if not name.startswith("digestmail")}
    assert not {name.split(".")[0] for name in extra} & {
        "sqlalchemy", "pydantic", "httpcore2", "feedparser", "jinja2", "apscheduler", "rich",
        "alembic", "email_validator", "cryptography", "aiosmtpd", "imap_tools", "flufl",
        "fastapi", "starlette", "uvicorn",
    }  # fmt: skip
    assert {name for name in ours if name.startswith("digestmail")} <= {
        "digestmail", "digestmail.cli", "digestmail.cli.announce", "digestmail.cli.backtest", "digestmail.cli.bounces",
        "digestmail.cli.database", "digestmail.cli.deliveries",
        "digestmail.cli.dkim", "digestmail.cli.secrets", "digestmail.cli.sources",
        "digestmail.cli.main", "digestmail.cli.options", "digestmail.cli.servers",
        "digestmail.cli.show", "digestmail.cli.start", "digestmail.cli.subscribers",
        "digestmail.cli.templates", "digestmail.cli.topics", "digestmail.cli.transfer", "digestmail.cli.pipeline",
        "digestmail.cli.up", "digestmail.cli.configuration", "digestmail.cli.init", "digestmail.cli.doctor",
        "digestmail.cli.oauth", "digestmail.cli.outputs",
    }  # fmt: skip


def test_topics_are_listed_and_backtested_without_loading_what_learns_them():
    # NumPy and SciPy take longer to load than most commands take for everything else.
    used = "import digestmail.cli.topic_text, digestmail.cli.backtest_text, digestmail.cli.backtest_page"
    loaded = modules_after(f"{used}, digestmail.editions.backtest")
    assert "digestmail.editions.replay" in loaded
    assert not {"numpy", "scipy", "jinja2"} & loaded
