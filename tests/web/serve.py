"""`python -m tests.web.serve --port 8099`: the tests' api-server, kept up until Ctrl+C, to look at the pages."""

from __future__ import annotations

import argparse
import signal
import tempfile
from pathlib import Path

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.web.world import PASSWORD, USERS, airflow_with_plugin, fill


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8099)
    port = parser.parse_args().port
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="stream-factory-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "airflow"
        home.mkdir()
        with (
            EmbeddedPostgres(Path(folder) / "server", options={"fsync": "off"}) as server,
            airflow_with_plugin(server, home, port) as world,
        ):
            fill(world)
            world.start()
            print(f"{world.address} - users: {', '.join(USERS)}; password: {PASSWORD}", flush=True)
            try:
                signal.pause()
            except KeyboardInterrupt:
                print("Stopping")


if __name__ == "__main__":
    main()
