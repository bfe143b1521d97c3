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
    bare = modules_after(
        "import typer; from typer.testing import CliRunner\n"
        "CliRunner().invoke(typer.Typer(callback=lambda: None, rich_markup_mode=None), ['--help'])"
    )
    ours = modules_after(
        "from typer.testing import CliRunner; from digestmail.cli.main import app\n"
        "assert 'Collect, publish' in CliRunner().invoke(app, ['--help']).stdout"
    )
    extra = {name for name in ours - bare if not name.startswith("digestmail")}
    assert not {name.split(".")[0] for name in extra} & {
        "sqlalchemy", "pydantic", "httpcore2", "feedparser", "jinja2", "apscheduler", "rich",
        "alembic", "email_validator", "cryptography", "aiosmtpd", "imap_tools", "flufl",
        "fastapi", "starlette", "uvicorn",
    }  # fmt: skip
    assert {name for name in ours if name.startswith("digestmail")} == {
        "digestmail", "digestmail.cli", "digestmail.cli.lazy", "digestmail.cli.main", "digestmail.cli.options",
    }  # fmt: skip


def test_topics_are_listed_and_backtested_without_loading_what_learns_them():
    # NumPy and SciPy take longer to load than most commands take for everything else.
    used = "import digestmail.cli.topic_text, digestmail.cli.backtest_text, digestmail.cli.backtest_page"
    loaded = modules_after(f"{used}, digestmail.editions.backtest")
    assert "digestmail.editions.replay" in loaded
    assert not {"numpy", "scipy", "jinja2"} & loaded
