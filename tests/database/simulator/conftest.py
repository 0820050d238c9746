"""A producer's database with the tables of the simulator."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from merge_jobs.simulator import create_tables

COMMAND = [sys.executable, "-m", "merge_jobs", "simulate"]


@pytest.fixture
def producer(new_database):
    database = new_database("producer")
    with closing(database.connect()) as connection:
        create_tables(connection)
    return database


def query(database, text: str) -> list[tuple]:
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall() if cursor.description else []


def contents(database) -> tuple[list, list]:
    return query(database, "SELECT * FROM customers ORDER BY id"), query(
        database, "SELECT * FROM addresses ORDER BY id"
    )


@contextmanager
def child(dsn: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*COMMAND, *options], env=surroundings(dsn, {}), text=True, bufsize=1, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def surroundings(dsn: str | None, environment: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "SIMULATOR_"))}
    return {**inherited, **({"SIMULATOR_DSN": dsn} if dsn else {}), **environment, "COLUMNS": "200"}


def read_until(process: subprocess.Popen[str], wanted: Callable[[str], bool]) -> None:
    for line in process.stdout:
        if wanted(line):
            return
    raise AssertionError("the output ended before")
