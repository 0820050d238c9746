"""The functions that show a forensic merge table as it was at a batch, or at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

from psycopg2 import sql
from psycopg2.errors import DependentObjectsStillExist, InvalidFunctionDefinition

from config_schema import names
from config_schema.model import DELETED_COLUMN, Milestoning
from merge_jobs.database.together import Lookup, in_step
from merge_jobs.errors import NotOurs, StillUsed
from merge_jobs.stores.postgres.begins import begins
from merge_jobs.stores.postgres.tables import DatasetTables, DescribedTable, described, ownership

KIND = "as-of"


def keep_functions(
    tables: DatasetTables, existing: DescribedTable | None = None, comments: Sequence[str | None] | None = None
) -> None:
    """Create the functions if they are missing or return other columns than the model's. The caller commits.

    `existing` is the merge table as it is, and `comments` are those of the functions, where they are known. Raises
    StoreMismatch if the name is taken, or if something that uses the functions prevents the change.
    """
    if tables.milestoning is not Milestoning.FORENSIC:
        return
    existing = existing or described(tables, tables.merge_name)
    assert existing is not None
    session = tables.store.session
    parts = parts_of(tables, existing.columns, lambda part: part.as_string(session))
    comment = _comment(tables, [parts[part].as_string(session) for part in ("returned", "at_batch", "at_time")])
    if list(existing_functions(tables) if comments is None else comments) == [comment, comment]:
        return
    tables.run("as_of.create_past_index", past_index=parts["past_index"])

    def make() -> None:
        tables.run(
            "as_of.create_functions",
            function=parts["function"],
            returned=parts["returned"],
            at_batch=parts["at_batch"],
            at_time=parts["at_time"],
            comment=sql.Literal(comment),
        )

    _replace(tables, parts["function"], make)


def existing_functions(tables: DatasetTables) -> list[str | None]:
    """Return the comments of the functions, which hold their definitions. Raises NotOurs if one is not ours."""
    (found,) = in_step([finding_functions(tables)], tables.store.together)
    return found


def finding_functions(tables: DatasetTables) -> Lookup[list[str | None]]:
    """Look for the comments of the functions. Raises NotOurs if one is not ours."""
    (rows,) = yield [tables.query("as_of.comments", _named(tables))]
    comments = [comment for (comment,) in rows]
    ours = json.dumps(ownership(tables, KIND))[:-1]
    if not all((comment or "").startswith(ours) for comment in comments):
        raise NotOurs(_where(tables), "Rename that function")
    return comments


def parts_of(
    tables: DatasetTables, types: Mapping[str, str], text: Callable[[sql.Composable], str]
) -> dict[str, sql.Composable]:
    """Return the placeholders of as_of.sql's statements. `types` are the columns' types; `text` renders a query."""
    stream = tables.store.stream
    metrics = tables.store.table(names.batch_metrics_table(stream.platform_name))
    about = {"metrics": metrics, "stream": sql.Literal(stream.key)}
    batch = tables.composed("as_of.batch_at", **about)
    at_batch, at_time = _in_source_at(tables, sql.SQL("$1")), _in_source_at(tables, sql.SQL("({})").format(batch))
    returned = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(types[column.name]))
        for column in tables.dataset.columns
    )
    return {
        **about,
        "batch": batch,
        "and_in_source_at": at_batch,
        "returned": returned,
        "function": tables.store.table(names.as_of_function(tables.merge_name)),
        "past_index": sql.Identifier(names.merge_past_index(tables.merge_name)),
        "at_batch": sql.Literal(text(tables.composed("as_of.at_batch", and_in_source_at=at_batch))),
        "at_time": sql.Literal(text(_at_time(tables, batch, at_time))),
        **_valid_parts(tables),
    }


def _at_time(tables: DatasetTables, batch: sql.Composable, in_source: sql.Composable) -> sql.Composable:
    of_column = _valid_parts(tables)
    if of_column:
        return tables.composed("as_of.at_valid_time", **of_column)
    return tables.composed("as_of.at_time", batch=batch, and_in_source_at=in_source)


def _valid_parts(tables: DatasetTables) -> dict[str, sql.Composable]:
    return {"begins": begins(tables.dataset)} if tables.dataset.valid_from else {}


def _in_source_at(tables: DatasetTables, batch: sql.Composable) -> sql.Composable:
    """Return the condition that the source had not lost a row yet; empty for a table that keeps no such rows."""
    if not tables.dataset.keeps_deleted:
        return sql.SQL("")
    return sql.SQL(" AND ({0} IS NULL OR {0} OPERATOR(pg_catalog.>) {1})").format(sql.SQL(DELETED_COLUMN), batch)


def _comment(tables: DatasetTables, definition: list[str]) -> str:
    digest = hashlib.sha256("\n".join(definition).encode()).hexdigest()[:16]
    return json.dumps({**ownership(tables, KIND), "definition": digest})


def _replace(tables: DatasetTables, function: sql.Composable, make: Callable[[], None]) -> None:
    tables.run("as_of.before_functions")
    try:
        make()
        return
    except InvalidFunctionDefinition:
        tables.run("as_of.back_to_before_functions")
    restricted = tables.run("as_of.restricted", _named(tables)).fetchall()
    rights = tables.run("as_of.rights", _named(tables)).fetchall()
    _drop(tables, function)
    make()
    for (argument,) in restricted:
        tables.run("as_of.revoke", function=function, argument=sql.SQL(argument))
    for argument, role, may_grant in rights:
        tables.run(
            "as_of.grant_further" if may_grant else "as_of.grant",
            function=function,
            argument=sql.SQL(argument),
            role=sql.SQL("PUBLIC") if role is None else sql.Identifier(role),
        )


def _drop(tables: DatasetTables, function: sql.Composable) -> None:
    try:
        tables.run("as_of.drop_functions", function=function)
    except DependentObjectsStillExist as error:
        raise StillUsed(
            _where(tables),
            "its columns are to change, and a view or a function uses it, which PostgreSQL refuses",
            "Drop that view, run the job, and create it again; nothing was merged",
        ) from error


def _named(tables: DatasetTables) -> dict[str, str]:
    return {"schema": tables.store.place.schema, "function": names.as_of_function(tables.merge_name)}


def _where(tables: DatasetTables) -> str:
    return f"{tables.where}: function {names.as_of_function(tables.merge_name)}"
