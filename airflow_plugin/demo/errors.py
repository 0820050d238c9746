"""Why the demo ends early."""

from __future__ import annotations

from pathlib import Path

from config_schema.errors import StreamFactoryError


class DemoProgramFailed(StreamFactoryError):
    """A program that the demo runs ends with an error: git, PostgreSQL, Airflow, or a command of ours.

    Correct what the error quotes of it, and run the demo again; --dir keeps the logs.
    """

    code = "DF3501"

    def __init__(self, program: str, exit_code: int, said: str, todo: str) -> None:
        self.program, self.exit_code, self.said = program, exit_code, said
        last = f": {said}" if said else ""
        super().__init__(program, f"it ended with exit code {exit_code}{last}", todo)


class DemoTooSlow(StreamFactoryError):
    """The demo waited too long for something: Airflow's components, a DAG, a scheduled run.

    See the logs, which --dir keeps; on a slow machine a second try may be enough.
    """

    code = "DF3502"

    def __init__(self, where: str, awaited: str, seconds: float, logs: Path) -> None:
        self.awaited, self.seconds, self.logs = awaited, seconds, logs
        todo = f"See the logs in {logs}; give --dir to keep them"
        super().__init__(where, f"{awaited} did not come within {seconds:.0f} s", todo)


class PortTaken(StreamFactoryError):
    """The port for the demo's Airflow cannot be used.

    Give another one, for example --port 8090.
    """

    code = "DF3503"

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host, self.port = host, port
        what = f"port {port} of {host} cannot be had ({reason})"
        super().__init__("--port", what, "Give another one, for example --port 8090")


class DemoFolderRefused(StreamFactoryError):
    """The demo cannot run in the folder: its path has a space, another demo is in it, or PostgreSQL may not enter.

    Name another folder with --dir.
    """

    code = "DF3504"


class DemoServerRefused(StreamFactoryError):
    """The demo cannot use the PostgreSQL server in DAGFACTORY_DSN: its address, its user's rights, or what is there.

    Do what the error says, or give the demo another server.
    """

    code = "DF3505"


class DemoRunFailed(StreamFactoryError):
    """A run of the demo's DAGs fails, does not end, or returns no result.

    See its log in the demo's folder; give --dir to keep it.
    """

    code = "DF3506"

    def __init__(self, dag_id: str, what: str, logs: Path) -> None:
        self.dag_id, self.logs = dag_id, logs
        super().__init__(dag_id, what, f"See its log in {logs}; give --dir to keep it")


class DagFilesBroken(StreamFactoryError):
    """Airflow cannot load the demo's DAG files.

    See the dag-processor's log.
    """

    code = "DF3507"

    def __init__(self, said: str) -> None:
        self.said = said
        super().__init__("the dags folder", said, "See the dag-processor's log")


class KeyTwice(StreamFactoryError):
    """A merge table contains a key twice.

    This is a bug: please report it.
    """

    code = "DF3508"

    def __init__(self) -> None:
        super().__init__("truth", "a key stands in a table twice", "This is a bug: please report it")
