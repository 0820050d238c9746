"""`python -m tests.benchmarks.web`: ask an api-server what the pages ask, and write how long each answer took."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from airflow_plugin.demo.postgres import EmbeddedPostgres
from airflow_plugin.web.streams import FRESH_SECONDS
from tests.airflow.conftest import config
from tests.benchmarks.web.many import fill_with_many
from tests.web.world import airflow_with_plugin

LIMIT_MS = 300
STREAM = "/api/streams/yellowlive/Store0"
CHANGED = {"config": config("YellowLive", "Store0", retries=5)}
ASKED: dict[str, tuple[str, str, Any]] = {
    "overview": ("GET", "/api/overview", None),
    "platforms": ("GET", "/api/platforms", None),
    "status": ("GET", "/api/status", None),
    "streams": ("GET", "/api/streams?limit=50", None),
    "streams by last run, late page": ("GET", "/api/streams?sort=-start&limit=50&offset=500", None),
    "streams by name": ("GET", "/api/streams?q=store1", None),
    "stream": ("GET", STREAM, None),
    "history": ("GET", f"{STREAM}/history", None),
    "batches": ("GET", f"{STREAM}/batches?limit=50", None),
    "runs": ("GET", "/api/runs?limit=50", None),
    "runs by duration": ("GET", "/api/runs?sort=-duration&limit=50", None),
    "failed runs of one name": ("GET", "/api/runs?state=failed&q=store1", None),
    "run": ("GET", "/api/runs/yellowlive__Store0_ingestion/run_1", None),
    "validate": ("POST", "/api/validate/yellowlive", CHANGED),
    "preview": ("POST", "/api/preview/yellowlive", CHANGED),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--batches", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path, default=Path(".bench/web.json"))
    given = parser.parse_args()
    rows = measured(given.streams, given.batches, given.rounds)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    report = {"streams": given.streams, "batches": given.batches, "limit_ms": LIMIT_MS, "answers": rows}
    given.json.write_text(json.dumps(report, indent=2) + "\n")
    for row in rows:
        fresh = f"fresh {row['fresh_ms']:6.0f} ms (most {row['most_ms']:.0f}, CPU {row['fresh_cpu_ms']:.0f})"
        print(f"{row['asked']:32} {fresh:44} again {row['again_ms']:6.0f} ms, first {row['first_ms']:6.0f} ms")
    slow = [row["asked"] for row in rows if row["fresh_ms"] > LIMIT_MS]
    print(f"over {LIMIT_MS} ms: {', '.join(slow) or 'none'}")
    return 0


def measured(streams: int, batches: int, rounds: int) -> list[dict[str, Any]]:
    """A row for each thing that is asked: in ms the median when nothing is known, and when it was asked just before.

    The CPU of when nothing is known is the mean; PostgreSQL's workers that end in between are not in it.
    """
    with tempfile.TemporaryDirectory(prefix="stream-factory-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "airflow"
        home.mkdir()
        with (
            EmbeddedPostgres(Path(folder) / "server", options={"fsync": "off"}) as server,
            airflow_with_plugin(server, home) as world,
        ):
            fill_with_many(world, streams, batches)
            world.start()
            assert world.server is not None
            postmaster = next(Path(folder).rglob("postmaster.pid")).read_text().splitlines()[0]
            processes = [psutil.Process(world.server.pid), psutil.Process(int(postmaster))]
            with world.client("admin") as client:
                return [_row(client, processes, name, rounds) for name in ASKED]


def _row(client: httpx.Client, processes: list[psutil.Process], name: str, rounds: int) -> dict[str, Any]:
    first, length = _ask(client, name)
    fresh, again, cpu = [], [], []
    for _ in range(rounds):
        time.sleep(FRESH_SECONDS)
        before = _cpu(processes)
        fresh.append(_ask(client, name)[0])
        cpu.append((_cpu(processes) - before) * 1000)
        again.append(_ask(client, name)[0])
    return {
        "asked": name,
        "first_ms": first,
        "fresh_ms": statistics.median(fresh),
        "most_ms": max(fresh),
        "fresh_cpu_ms": round(statistics.mean(cpu), 1),
        "again_ms": statistics.median(again),
        "bytes": length,
    }


def _cpu(processes: list[psutil.Process]) -> float:
    """Seconds, of the api-server and of PostgreSQL: what an answer costs, whatever else the machine is at."""
    times = [one.cpu_times() for process in processes for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def _ask(client: httpx.Client, name: str) -> tuple[float, int]:
    method, path, body = ASKED[name]
    began = time.monotonic()
    answer = client.request(method, path, json=body)
    milliseconds = (time.monotonic() - began) * 1000
    assert answer.is_success, answer.text
    return round(milliseconds, 1), len(answer.content)


if __name__ == "__main__":
    sys.exit(main())
