"""A whole Airflow of our own: four components as processes, LocalExecutor, metadata on PostgreSQL, loopback only."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from airflow_plugin.demo.api import Api
from airflow_plugin.demo.errors import DemoProgramFailed, DemoTooSlow, PortTaken
from airflow_plugin.demo.processes import Processes, inherited_environment, python_module

HOST = "127.0.0.1"
USER = "admin"
# On one machine the api-server reads the logs as files: no log servers, which would listen to the whole network.
COMPONENTS = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
HEALTHY_SECONDS = 180
POLL_SECONDS = 0.3


class DemoAirflow:
    """An Airflow in `home`; `environment` is what its tasks and its dag-processor get beside."""

    def __init__(
        self, home: Path, port: int, metadata_dsn: str, environment: Mapping[str, str], processes: Processes
    ) -> None:
        self.home, self.port = home, port
        self.processes = processes
        self.dags = home / "dags"
        self.dags.mkdir(parents=True, exist_ok=True)
        self.password = self._password()
        self.environment = inherited_environment() | self._settings(metadata_dsn) | dict(environment)
        self.api = Api(f"http://{HOST}:{port}", USER, self.password)

    @property
    def address(self) -> str:
        """The address of the web server."""
        return f"http://{HOST}:{self.port}"

    def migrate(self) -> None:
        """Create or upgrade the metadata tables. Raises StreamFactoryError with the log's place if that fails."""
        done = self.processes.start("migrate", python_module("airflow", "db", "migrate"), self.environment)
        if done.wait() != 0:
            raise self._failed("airflow db migrate", done.returncode, "migrate")
        self.processes.forget("migrate")

    def start(self) -> None:
        """Start the components; they become healthy by and by."""
        for component, flags in COMPONENTS.items():
            self.processes.start(component, python_module("airflow", component, *flags), self.environment)

    def becoming_healthy(self) -> Iterator[tuple[str, ...]]:
        """Yield the healthy components again and again, until all are. Raises StreamFactoryError after a time."""
        give_up = time.monotonic() + HEALTHY_SECONDS
        wanted = {"metadatabase", "scheduler", "dag_processor", "triggerer"}
        while True:
            healthy = self.api.healthy()
            yield tuple(sorted(healthy))
            if wanted <= healthy:
                return
            self.check_alive()
            if time.monotonic() > give_up:
                missing = ", ".join(sorted(wanted - healthy))
                raise DemoTooSlow("Airflow", f"the health of {missing}", HEALTHY_SECONDS, self.processes.logs)
            time.sleep(POLL_SECONDS)

    def check_alive(self) -> None:
        """Raise StreamFactoryError if a component has ended by itself."""
        for name, code in self.processes.ended():
            if name in COMPONENTS:
                raise self._failed(f"airflow {name}", code, name)

    def _failed(self, what: str, code: int, log: str) -> DemoProgramFailed:
        path = self.processes.log_of(log)
        last = [line for line in path.read_text(errors="replace").splitlines() if line.strip()][-1:]
        said = last[0][:300] if last else ""
        return DemoProgramFailed(what, code, said, f"See {path}; give --dir to keep it")

    def _password(self) -> str:
        path = self.home / "simple_auth_manager_passwords.json"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(json.dumps({USER: secrets.token_urlsafe(9)}))
        password: str = json.loads(path.read_text())[USER]
        return password

    def _settings(self, metadata_dsn: str) -> dict[str, str]:
        by_section = {
            "CORE": {
                "EXECUTOR": "LocalExecutor",
                "PARALLELISM": "4",
                "LOAD_EXAMPLES": "False",
                "DAGS_FOLDER": str(self.dags),
                "EXECUTION_API_SERVER_URL": f"{self.address}/execution/",
                "SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
                "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "simple_auth_manager_passwords.json"),
                "FERNET_KEY": "",
                "MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
            },
            "DATABASE": {"SQL_ALCHEMY_CONN": metadata_dsn.replace("postgresql:", "postgresql+psycopg2:", 1)},
            "API": {"HOST": HOST, "PORT": str(self.port), "WORKERS": "1", "SECRET_KEY": secrets.token_hex(16)},
            "API_AUTH": {"JWT_SECRET": secrets.token_hex(32)},
            # A laptop's demo looks often, so that a change of rows shows in seconds.
            "DAG_PROCESSOR": {"REFRESH_INTERVAL": "5", "MIN_FILE_PROCESS_INTERVAL": "5"},
            "SCHEDULER": {"SCHEDULER_HEARTBEAT_SEC": "1"},
            "LOGGING": {"BASE_LOG_FOLDER": str(self.home / "logs")},
        }
        flat = {f"AIRFLOW__{section}__{key}": value for section, of in by_section.items() for key, value in of.items()}
        return {"AIRFLOW_HOME": str(self.home), **flat}


def check_port(port: int) -> None:
    """Raise StreamFactoryError if somebody already listens on this port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(HOST, port, str(error.strerror)) from error


def run_to_end(command: list[str], environment: Mapping[str, str], what: str) -> str:
    """Run one of our own commands, and return its standard output. Raises StreamFactoryError with its end."""
    done = subprocess.run(command, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout
    said = (done.stderr.strip() or done.stdout.strip())[-800:]
    raise DemoProgramFailed(what, done.returncode, said, "Correct that and run the demo again")
