"""A copy of a running server, as pg_basebackup makes it: a standby, or one that goes its own way."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.conftest import binaries


def copy_of(server: EmbeddedPostgres, home: Path, options: dict[str, str], *flags: str) -> EmbeddedPostgres:
    """Copy the server into `home` and return the copy, which is not started yet; `flags` are for pg_basebackup."""
    home.mkdir()
    shutil.copyfile(server.directory / "superuser.password", home / "superuser.password")
    subprocess.run(
        [
            program(server, "pg_basebackup"),
            "-d",
            server.dsn(),
            "-D",
            home / "data",
            *flags,
            "-X",
            "stream",
            "-c",
            "fast",
        ],
        check=True,
        capture_output=True,
    )
    owner = (server.directory / "data").stat()  # whoever the server runs as
    for path in (home, *home.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    (home / "postgres.log").touch()
    os.chown(home / "postgres.log", owner.st_uid, owner.st_gid)
    (home / "data").chmod(0o700)
    return EmbeddedPostgres(home, options=options, binaries=binaries())


def program(server: EmbeddedPostgres, name: str) -> str:
    """Return the path of one of the server's programs."""
    return str(server._binaries / name)
