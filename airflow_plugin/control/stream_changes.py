"""What the dag-processor asks the control database each second: which streams have changed since it last looked.

The statements are in stream_changes.sql beside it. A look reads few rows by an index; each minute, and wherever the
server or the tables are not those of the last look, all streams are looked at instead, by what their rows say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from psycopg2 import sql

from airflow_plugin.control.session import composed
from config_schema import names
from config_schema.sql.statements import SqlFile, quoted

STATEMENTS = SqlFile(__file__)


class StreamState(NamedTuple):
    """What a look at the table found about a stream; if it `counts`, the number of files depends on it too.

    A retired stream counts for a week, so that there are not at once fewer files.
    """

    digest: int
    retired: bool
    counts: bool


@dataclass(frozen=True)
class Looked:
    """The streams at the time of a look. `snapshot` is PostgreSQL's: which transactions the look has seen."""

    snapshot: str
    place: str  # the server and the tables
    has_revisions: bool  # whether changes can be asked for by the revision table
    streams: Mapping[str, StreamState] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """Return the token of `stream_table.read_table` for these rows."""
        total = sum(state.digest for state in self.streams.values())
        return f"{len(self.streams)}:{total if self.streams else ''}"

    @property
    def counting(self) -> int:
        """Return the number of streams on which the number of files depends."""
        return sum(state.counts for state in self.streams.values())


def trigger_statement(platform: str, schema: str) -> str:
    """Return the statement by which the owner of a stream table lets its changes be noted."""
    name = names.stream_revision_trigger(platform)
    return (
        f"CREATE TRIGGER {quoted(name)} AFTER INSERT OR UPDATE OR DELETE ON "
        f"{quoted(schema, names.stream_table(platform))} FOR EACH ROW EXECUTE FUNCTION {quoted(schema, name)}()"
    )


def changes_query(platform: str, schema: str, known: Looked) -> tuple[sql.Composable, dict[str, Any]]:
    """Return the query for what has changed since a look that `has_revisions`, and its values."""
    return _query("look_at_changes", platform, schema, {"seen": known.snapshot})


def all_query(platform: str, schema: str, known: Looked | None) -> tuple[sql.Composable, dict[str, Any]]:
    """Return the query for all streams, and its values; it gives no streams where they are as they were known."""
    values = {"known": known.token if known else "", "trigger": names.stream_revision_trigger(platform)}
    return _query("look_at_all", platform, schema, values)


def with_changes(known: Looked, rows: list[tuple[Any, ...]]) -> Looked | None:
    """Return the streams as they are after a `changes_query`; None where it was asked at another place."""
    snapshot, place = rows[0][:2]
    if place != known.place:
        return None
    found = {key: None if state[0] is None else StreamState(*state) for _, _, key, *state in rows if key is not None}
    if not found:
        return Looked(snapshot, place, known.has_revisions, known.streams)
    streams = {key: state for key, state in known.streams.items() if key not in found}
    streams |= {key: state for key, state in found.items() if state is not None}
    return Looked(snapshot, place, known.has_revisions, streams)


def with_all(known: Looked | None, rows: list[tuple[Any, ...]]) -> Looked:
    """Return the streams as they are after an `all_query`."""
    snapshot, place, has_revisions, token = rows[0][:4]
    if known is not None and token == known.token:
        return Looked(snapshot, place, has_revisions, known.streams)
    streams = {key: StreamState(*state) for _, _, _, _, key, *state in rows if key is not None}
    return Looked(snapshot, place, has_revisions, streams)


def changed_keys(before: Looked, after: Looked) -> set[str]:
    """Return the streams whose rows are new, gone, or say something else."""
    if before.streams is after.streams:
        return set()
    old, new = before.streams, after.streams
    both = {key for key in old.keys() & new.keys() if old[key].digest != new[key].digest}
    return both | (old.keys() ^ new.keys())


def _query(name: str, platform: str, schema: str, values: Mapping[str, Any]) -> tuple[sql.Composable, dict[str, Any]]:
    of_tables = {
        "table": quoted(schema, names.stream_table(platform)),
        "revisions": quoted(schema, names.stream_revision_table(platform)),
    }
    values = {**values, **of_tables}
    return composed(STATEMENTS[name], platform, schema, values), values
