"""What is different in a stream's row now from an earlier version of it, or from what a model says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_plugin.preview.candidates import candidates_of_model
from airflow_plugin.streams.changing import version_of
from airflow_plugin.streams.opening import PlatformStreams
from airflow_plugin.sync.diff import FieldChange, field_changes, parsed
from config_schema.errors import StreamFactoryError
from config_schema.load import load_model


@dataclass(frozen=True)
class RowDifference:
    """The keys in which the row differs from what `origin` names; `status` is (before, now)."""

    stream_key: str
    origin: str
    status: tuple[str, str]
    fields: tuple[FieldChange, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as --json shows it."""
        return {
            "stream_key": self.stream_key,
            "origin": self.origin,
            "status": {"before": self.status[0], "now": self.status[1]},
            "fields": [vars(field) for field in self.fields],
        }


class NothingToCompare(StreamFactoryError):
    """A stream has no earlier version to compare with, or the model has no such stream.

    Compare it with a model (--model), or with one that has the stream; the next sync shows a stream that has left
    as drift.
    """

    code = "DF3103"


def difference_from_version(table: PlatformStreams, stream_key: str, version_id: int | None) -> RowDifference:
    """Return the difference from the row after that change, or before its last. Raises StreamFactoryError."""
    row, history = table.row(stream_key), table.history(stream_key)
    changes = [version for version in history if version.is_change]
    if version_id is not None:
        version = version_of(history, stream_key, version_id)
        before, status = version.after_config_json, version.after_status
        origin = f"change {version.id} of {version.changed_at:%Y-%m-%d %H:%M}"
    elif changes:
        before, status = changes[0].before_config_json or "{}", changes[0].before_status or "none"
        origin = f"before change {changes[0].id} of {changes[0].changed_at:%Y-%m-%d %H:%M}"
    else:
        raise NothingToCompare(stream_key, "it has no history", "Compare it with a model: --model")
    fields = field_changes(parsed(before), parsed(row.config_json))
    return RowDifference(stream_key, origin, (status, row.status), fields)


def difference_from_model(table: PlatformStreams, stream_key: str, model: Path) -> RowDifference:
    """Return the difference from what sync would write. Raises NothingToCompare for an unknown stream."""
    row = table.row(stream_key)
    origin = f"the model in {model}"
    for candidate in candidates_of_model(load_model(model), origin, [table.platform]):
        if candidate.stream_key == stream_key:
            fields = field_changes(parsed(candidate.config_json), parsed(row.config_json))
            return RowDifference(stream_key, origin, ("active", row.status), fields)
    raise NothingToCompare(stream_key, f"{origin} has no such stream", "Nothing: the next sync shows it as drift")
