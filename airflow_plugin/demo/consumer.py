"""The demo's end: what a consumer sees, logged in as one: current rows, and the history of a customer."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from airflow_plugin.control.connection import connect
from airflow_plugin.demo.airflow import run_to_end
from airflow_plugin.demo.databases import Databases
from airflow_plugin.demo.processes import python_module
from config_schema import names
from config_schema.sql.object_comments import parsed_comment

if TYPE_CHECKING:
    from airflow_plugin.demo.report import Report

MERGE_STORE, CONSUMER, DATASET = "datasurface_merge", "consumer", "customers"
VIEWS = """
    SELECT n.nspname, c.relname, obj_description(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'v' AND obj_description(c.oid) LIKE '{"kind": "consumers'' view"%' ORDER BY c.relname
"""
HISTORY = """
    SELECT * FROM {view} WHERE id = (SELECT id FROM {view} GROUP BY id ORDER BY count(*) DESC, id LIMIT 1)
    ORDER BY ds_batch_in
"""


def show_consumers(databases: Databases, model: Path, environment: dict[str, str], report: Report) -> None:
    """Bring the views to the model, let the consumer in, and print what the consumer reads."""
    report.step("Consumers: their views, by the model")
    command = python_module("airflow_plugin", "views", "reconcile", "--model", str(model))
    report.say(run_to_end(command, environment, "dagfactory views reconcile").strip().splitlines()[-1])
    found = views_of(databases, DATASET)
    dsn = databases.dsn(MERGE_STORE, CONSUMER)
    with contextlib.closing(connect(dsn, CONSUMER)) as session, session.cursor() as cursor:
        for kind, view in found:
            if kind == "live":
                cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(view))
                (row,) = cursor.fetchall()
                report.say(f"{view.strings[1]}: {row[0]} rows")
        for view in [view for kind, view in found if kind == "full"][:1]:
            cursor.execute(sql.SQL(HISTORY).format(view=view))
            columns = [column.name for column in cursor.description or ()]
            versions = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
            if versions:
                report.step(f"The history of customer {versions[0]['id']}, as the consumer reads it")
                report.say("\n".join(map(_in_words, versions)))


def views_of(databases: Databases, dataset: str) -> list[tuple[str, sql.Identifier]]:
    """Return kind and name of a dataset's views; the demo's consumer becomes a reader of each group."""
    found: list[tuple[str, sql.Identifier]] = []
    with contextlib.closing(databases.connect(MERGE_STORE)) as session, session, session.cursor() as cursor:
        cursor.execute(VIEWS)
        for schema, name, comment in cursor.fetchall():
            of = parsed_comment(comment)
            if of.get("dataset") != dataset:
                continue
            role = names.consumer_role(of["ecosystem"], of["workspace"], of["group"])
            grant = sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(CONSUMER))
            cursor.execute(grant)
            found.append((of["is"], sql.Identifier(schema, name)))
    return found


def _in_words(version: dict[str, Any]) -> str:
    until = version["ds_valid_to"]
    span = f"{version['ds_valid_from']:%H:%M:%S} to {'now' if until is None else format(until, '%H:%M:%S')}"
    values = (f"{key} {value}" for key, value in version.items() if not key.startswith("ds_") and value is not None)
    return f"{span}: {', '.join(values)}"
