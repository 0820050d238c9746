"""The functions that tell what a forensic merge table looked like at a batch, or at a time."""

from __future__ import annotations

import hashlib
import json

from psycopg2 import sql
from psycopg2.errors import DependentObjectsStillExist

from config_schema import names
from config_schema.model import Milestoning
from merge_jobs.errors import StoreMismatch
from merge_jobs.tables import DatasetTables, described, ownership

KIND = "as-of"


def keep_functions(tables: DatasetTables) -> None:
    """Make the functions where they are missing, or give back other columns than the model's. The caller commits.

    Raises StoreMismatch if the name is taken, or if something that uses the functions is in the way of a change.
    """
    if tables.milestoning is not Milestoning.FORENSIC:
        return
    standing = described(tables, tables.merge_name)
    assert standing is not None
    returned = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(standing.columns[column.name]))
        for column in tables.dataset.columns
    )
    bodies = _bodies(tables)
    comment = _comment(tables, [returned.as_string(tables.store.session), *bodies.values()])
    name = names.as_of_function(tables.merge_name)
    told = _told(tables, name)
    if told == [comment, comment]:
        return
    tables.run("as_of.create_past_index", past_index=sql.Identifier(names.merge_past_index(tables.merge_name)))
    _drop(tables, name)
    tables.run(
        "as_of.create_functions",
        function=tables.store.table(name),
        returned=returned,
        comment=sql.Literal(comment),
        at_batch=sql.Literal(bodies["at_batch"]),
        at_time=sql.Literal(bodies["at_time"]),
    )


def _bodies(tables: DatasetTables) -> dict[str, str]:
    metrics = tables.store.table(names.batch_metrics_table(tables.store.stream.platform_name))
    batch = tables.composed("as_of.batch_at", metrics=metrics, stream=sql.Literal(tables.store.stream.key))
    session = tables.store.session
    return {
        "at_batch": tables.composed("as_of.at_batch").as_string(session),
        "at_time": tables.composed("as_of.at_time", batch=batch).as_string(session),
    }


def _comment(tables: DatasetTables, definition: list[str]) -> str:
    digest = hashlib.sha256("\n".join(definition).encode()).hexdigest()[:16]
    return json.dumps({**ownership(tables, KIND), "definition": digest})


def _told(tables: DatasetTables, name: str) -> list[str | None]:
    """The comments of what stands under the name. Raises StoreMismatch if one is not of this merge table."""
    values = {"schema": tables.store.place.schema, "function": name}
    told = [comment for (comment,) in tables.run("as_of.told", values).fetchall()]
    ours = json.dumps(ownership(tables, KIND))[:-1]
    if not all((comment or "").startswith(ours) for comment in told):
        raise StoreMismatch(
            f"{tables.where}: function {name}",
            "the function is there, and its comment does not say that it is ours",
            "Rename that function",
        )
    return told


def _drop(tables: DatasetTables, name: str) -> None:
    try:
        tables.run("as_of.drop_functions", function=tables.store.table(name))
    except DependentObjectsStillExist as error:
        raise StoreMismatch(
            f"{tables.where}: function {name}",
            "its columns are to change, and a view or a function uses it, which PostgreSQL refuses",
            "Drop that view, run the job, and create it again; nothing was merged",
        ) from error
