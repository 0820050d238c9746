"""Change feed: the source's log tells which keys may have changed; only their rows are read, from the batch's snapshot.

The map of row versions stays that of the last batch that read by it, and is marked as behind: to find a key in it takes
a look at all of it. A batch that falls back to version diff reads what has changed since then, and compares all keys.
"""

from __future__ import annotations

import io
import logging
import time
from dataclasses import dataclass, replace

from psycopg2 import sql

from config_schema.model.sql_types import with_schema
from merge_jobs.database.copy_pipe import copy_through
from merge_jobs.sources.postgres.change_feed import FeedKeys, array_text
from merge_jobs.sources.postgres.pgoutput import Key
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.sql import composed
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.apply import SMALL_DELTA, measured_delta, open_rows
from merge_jobs.stores.postgres.erased_keys import keep_away
from merge_jobs.strategies.bulk_copy import check_columns, is_exact_in_binary
from merge_jobs.strategies.cursor import ACCEPT, CHECK_KEYS, find_gone
from merge_jobs.strategies.delta_steps import (
    APPLY_DELTA,
    JUDGE_TIMES,
    KEEP_CHANGES,
)
from merge_jobs.strategies.incremental import CHECK_NUMBER, SOMETHING
from merge_jobs.strategies.step import Condition, Step, on_source, on_store
from merge_jobs.strategies.strategy import CREATE_STAGING, KEYS_ERASED, Applying, Doubt, Staging, Strategy

log = logging.getLogger(__name__)

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass
class FeedStaging(Staging):
    """A dataset while it is staged by what the log tells."""

    @property
    def feed(self) -> FeedKeys:
        """What the log says."""
        assert self.reading.feed is not None
        return self.reading.feed

    @property
    def keys(self) -> set[Key]:
        """The keys that may have changed."""
        assert self.reading.sight is not None
        (leaf,) = self.reading.sight.leaves
        return self.feed.tables[leaf.oid].found

    @property
    def is_untouched(self) -> bool:
        """Whether the log has nothing of the table, which then is not asked anything."""
        return not self.keys


def _count(state: FeedStaging) -> None:
    before = state.reading.rows_before
    state.rows = open_rows(state.tables) if before is None else before
    state.kept_away = state.reading.kept_away


def _stage_keys(state: FeedStaging) -> None:
    """Copy the keys into a table of their own: those without a row are gone."""
    row_maps.create_staged_keys(state.tables)
    lines = "".join("\t".join(part.translate(ESCAPES) for part in key) + "\n" for key in state.keys)
    with state.tables.store.session.cursor() as cursor:
        cursor.copy_expert(state.tables.composed("change_feed.copy_keys"), io.BytesIO(lines.encode()))


def _read(state: FeedStaging) -> None:
    """Copy the rows that have the keys now. Raises Doubt where a key's text need not mean the same on both sides."""
    tables, source = state.tables, state.reading.source
    assert isinstance(source, PostgresSource)
    columns, key, began = source.columns(tables.dataset), tables.dataset.primary_key, time.monotonic()
    check_columns(tables, source, columns)
    if not is_exact_in_binary(tables, columns, state.made, key):
        raise Doubt("the key has another type in the source than in the model, or one that is not PostgreSQL's")
    names = [column.name for column in tables.dataset.columns]
    form = sql.SQL("binary" if is_exact_in_binary(tables, columns, state.made, names) else "text")
    numbered = [(sql.Identifier(f"key_{number}"), name) for number, name in enumerate(key, 1)]
    arrays = [array_text(values) for values in zip(*state.keys, strict=True)]
    parts = {
        "columns": source.selected(tables.dataset, state.made.columns),
        "table": source.table(tables.dataset),
        "keys": sql.SQL(", ").join(
            sql.SQL("pg_catalog.unnest({}::{}[])").format(sql.Literal(text), sql.SQL(with_schema(columns[name].type)))
            for text, name in zip(arrays, key, strict=True)
        ),
        "key_names": sql.SQL(", ").join(number for number, _ in numbered),
        "equal": sql.SQL(" AND ").join(
            sql.SQL("t.{} OPERATOR(pg_catalog.=) k.{}").format(sql.Identifier(name), number)
            for number, name in numbered
        ),
        "format": form,
    }
    copy_out = composed("change_feed.rows", parts, {})
    state.staged = copy_through(
        lambda writer: source.copy_query(copy_out, writer),
        source.cancel,
        tables.name,
        tables.store.session,
        tables.composed("dataset.copy_to_staging", format=form),
    )
    seconds = time.monotonic() - began
    log.info("%s: the log has %d keys: copied %d rows in %.1f s", tables.where, len(state.keys), state.staged, seconds)


def _keep_away(state: FeedStaging) -> None:
    state.staged -= keep_away(state.tables, state.tables.store.table(state.tables.staging_name))


def _compare(state: Applying) -> None:
    tables = state.tables
    if state.staged.staged < state.staged.rows * SMALL_DELTA:
        tables.run("dataset.go_by_address")
    tables.run(".find_changes")
    tables.run("dataset.go_as_planned")
    state.delta = measured_delta(tables)
    state.before = state.staged.rows


def _save(state: Applying) -> None:
    for name in ("dataset.drop_delta", "row_map.drop_gone"):
        state.tables.later(name)
    staged = row_maps.behind(state.staged, state.counts.total, state.tables.map_name, state.known)
    row_maps.save(state.tables, staged, state.map_batch, state.tables.map_name, full=False)


CHANGED: Condition[FeedStaging] = Condition("where the log has keys of the table", lambda state: not state.is_untouched)

CHANGE_FEED = Strategy(
    name="change_feed",
    resumable=True,
    staging=FeedStaging,
    stage_steps=(
        Step(_count, also=("live.count_open", "forensic.count_open")),
        Step(CREATE_STAGING.run, CREATE_STAGING.sections, CREATE_STAGING.also, CHANGED),
        Step(
            _stage_keys,
            (
                on_store(
                    "the keys that may have changed",
                    "cursor.create_gone",
                    "row_map.comment_staged_map",
                    "change_feed.copy_keys",
                ),
            ),
            when=CHANGED,
        ),
        Step(
            _read,
            (
                on_source("the rows that they have now", "change_feed.rows"),
                on_store("into the staging table", "dataset.copy_to_staging"),
            ),
            when=CHANGED,
        ),
        Step(
            _keep_away,
            (on_store("rows of erased keys are taken out again", "erased_keys.keep_away"),),
            when=Condition(KEYS_ERASED.words, lambda state: KEYS_ERASED.holds(state) and not state.is_untouched),
        ),
    ),
    apply_steps=(
        CHECK_NUMBER,
        replace(CHECK_KEYS, when=SOMETHING),
        Step(
            find_gone,
            (on_store("the keys that are gone", "cursor.find_gone", "row_map.analyze_gone"),),
            when=SOMETHING,
        ),
        Step(
            _compare,
            (
                on_store(
                    "the keys whose rows differ, of those that may",
                    "dataset.go_by_address",
                    ".find_changes",
                    "dataset.go_as_planned",
                    "dataset.analyze_delta",
                    "dataset.measure_delta",
                ),
            ),
            when=SOMETHING,
        ),
        replace(ACCEPT, when=SOMETHING),
        JUDGE_TIMES,
        KEEP_CHANGES,
        *APPLY_DELTA,
        Step(
            _save,
            (on_store("the map is behind from now on", "dataset.drop_delta", "row_map.drop_gone", "row_map.save"),),
            when=SOMETHING,
        ),
    ),
)
