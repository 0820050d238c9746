"""From when a version is valid, by a column of the source: the SQL expressions, where a dataset has `valid_from`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from psycopg2 import sql

from config_schema.model import VALID_COLUMNS, Dataset
from config_schema.model.sql_types import base_type, long_name

WITH_ZONE = "timestamp with time zone"
FUTURE = "interval '1 minute'"  # after a batch's end: what clocks may differ by
MARK = "valid_from"  # in the comment of a merge table: the column by which its versions have their times


def begins_alone(dataset: Dataset, alias: str | None = None) -> sql.Composable:
    """Return the time that a row's column says, as a timestamp with a time zone: without one it is a time of UTC."""
    column, kind = _column(dataset, alias)
    if kind == WITH_ZONE:
        return column
    if kind == "date":
        column = sql.SQL("{}::pg_catalog.timestamp").format(column)
    return sql.SQL("pg_catalog.timezone('UTC', {})").format(column)


def begins(dataset: Dataset, alias: str | None = None) -> sql.Composable:
    """Return the time from which a version of the merge table is valid."""
    late = sql.Identifier(*([alias] if alias else []), VALID_COLUMNS[0])
    return sql.SQL("coalesce({}, {})").format(late, begins_alone(dataset, alias))


def no_parts() -> dict[str, sql.Composable]:
    """Return the placeholders of a dataset's statements where batches say from when its versions are valid."""
    names = (
        "valid_definitions",
        "ends_with_batch",
        "ends_with_next",
        "with_staged",
        "late_column",
        "late",
        "with_late",
    )
    return dict.fromkeys(names, sql.SQL(""))


def parts(dataset: Dataset, staging: sql.Composable, batch_time: datetime | None) -> Mapping[str, sql.Composable]:
    """Return the placeholders of a dataset's statements; without a time of the batch they are for reading only."""
    at: sql.Composable = sql.SQL(":batch_time") if batch_time is None else sql.Literal(batch_time)
    (staged, kind), (merged, _) = _column(dataset, "s"), _column(dataset, "m")
    key = dataset.primary_key
    comma = sql.SQL(", ")

    def not_after(time: sql.Composable) -> sql.Composable:
        """Compare in the column's own type: a date may lie beyond all timestamps."""
        text = "{} <= {} + {}" if kind == WITH_ZONE else "{} <= pg_catalog.timezone('UTC', {} + {})"
        return sql.SQL(text).format(staged, time, sql.SQL(FUTURE))

    now = sql.SQL("greatest({}, statement_timestamp())").format(at)
    in_batch = not_after(sql.SQL("greatest(i.source_snapshot_time, i.batch_end_time)"))
    lost_in = "coalesce(s.ds_deleted_in, s.ds_batch_out)" if dataset.keeps_deleted else "s.ds_batch_out"
    return {
        "valid_definitions": sql.SQL("").join(sql.SQL(f",\n    {name} timestamptz") for name in VALID_COLUMNS),
        "ends_with_batch": sql.SQL(", ds_valid_to = coalesce(m.ds_valid_to, greatest({}, {}))").format(
            at, begins(dataset, "m")
        ),
        "ends_with_next": sql.SQL(", ds_valid_to = greatest({}, m.ds_valid_from)").format(begins_alone(dataset, "s")),
        "with_staged": sql.SQL(" JOIN {} s ON s.ctid = d.staged").format(staging),
        "late_column": sql.SQL(", ds_valid_from"),
        "late": sql.SQL(", l.begins"),
        "with_late": sql.SQL(" LEFT JOIN ds_late l ON l.staged = d.staged"),
        "batch_time": at,
        "staged_time": staged,
        "merged_time": merged,
        "staged_begins": begins_alone(dataset, "s"),
        "merged_begins_alone": begins_alone(dataset, "m"),
        "unusable": sql.SQL("({0} IS NULL OR NOT isfinite({0}) OR NOT {1})").format(staged, not_after(now)),
        "why_unusable": sql.SQL(
            "CASE WHEN {0} IS NULL THEN 'missing' WHEN isfinite({0}) THEN 'future' ELSE 'infinite' END"
        ).format(staged),
        # Batches of which nothing is known any more refuse nothing.
        "usable_in_its_batch": sql.SQL("isfinite({}) AND coalesce({}, true)").format(staged, in_batch),
        "staged_key_as_json": sql.SQL("jsonb_build_object({})").format(
            comma.join(sql.SQL("{}, {}").format(sql.Literal(name), sql.Identifier("s", name)) for name in key)
        ),
        "staged_key": comma.join(sql.Identifier("s", name) for name in key),
        "numbered_key": comma.join(
            sql.SQL("{} AS {}").format(sql.Identifier("s", name), sql.Identifier(f"key_{number}"))
            for number, name in enumerate(key, 1)
        ),
        "lost_in": sql.SQL(lost_in),
    }


def _column(dataset: Dataset, alias: str | None) -> tuple[sql.Composable, str]:
    """Return the column, and the type that it has without its precision."""
    assert dataset.valid_from is not None
    kind = next(base_type(long_name(one.type)) for one in dataset.columns if one.name == dataset.valid_from)
    return sql.Identifier(*([alias] if alias else []), dataset.valid_from), kind
