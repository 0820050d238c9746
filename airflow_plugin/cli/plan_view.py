"""A plan as a person reads it: what becomes of each row, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from airflow_plugin.sync.diff import StreamChange, SyncAction
from airflow_plugin.sync.job_models import JobModelSync
from airflow_plugin.sync.plan import Plan, PlatformPlan
from config_schema.terminal import PlainConsole

SIGNS = {
    SyncAction.CREATE: ("+", "green"),
    SyncAction.UPDATE: ("~", "yellow"),
    SyncAction.REVIVE: ("^", "green"),
    SyncAction.RETIRE: ("-", "red"),
    SyncAction.DRIFT: ("!", "magenta"),
}
# Of a new stream these say enough; --json has all keys.
SHOWN_OF_NEW = ("datasets", "milestoning", "schedule", "runner")
SHORT_COMMIT = 12


def print_plan(plan: Plan, *, on_stderr: bool = False) -> None:
    """Print a plan, in colours where the terminal has them."""
    console = PlainConsole(stderr=on_stderr)
    for platform in plan.platforms:
        for line in _platform_lines(platform):
            console.print(line, soft_wrap=True)


def left_note(platform: str) -> str:
    """Return what became of a platform that has left the model."""
    what = "left the model: its streams are retired, its tables stay"
    return f"{platform} {what}. dagfactory platform retire {platform} archives them"


def summary(plan: Plan, done: bool) -> str:
    """Return a plan in one line: `2 created, 1 unchanged; model at 0123456789ab`."""
    words = {"create": "created", "update": "updated", "revive": "revived", "retire": "retired"}
    as_it_is = {"unchanged": "unchanged", "drift": "left as changed by hand"}
    parts = [
        f"{count} {as_it_is.get(kind) or (words[kind] if done else 'to ' + kind)}"
        for kind, count in plan.counts().items()
        if count
    ]
    return f"{', '.join(parts) or 'no streams'}; model at {plan.commit[:SHORT_COMMIT]}"


def job_model_lines(models: JobModelSync) -> Iterator[str]:
    """Yield what jobs read of the model: how many rows were written, or why none."""
    for platform, change in models.changes.items():
        changed = f"{change.written} written, {change.deleted} deleted"
        yield f"{platform}: its jobs read {change.rows} rows of the model, {changed}"
    yield from models.notes


def _platform_lines(platform: PlatformPlan) -> Iterator[Text]:
    unchanged = platform.counts()[SyncAction.UNCHANGED.value]
    yield Text.assemble((platform.platform, "bold"), f"  {unchanged} unchanged" if unchanged else "")
    for change in sorted((*platform.writes, *platform.drift), key=lambda change: change.stream_key):
        yield from _change_lines(change)
    if platform.commit_before != platform.commit_after:
        before, after = (commit and commit[:SHORT_COMMIT] for commit in (platform.commit_before, platform.commit_after))
        yield Text.assemble(("  ~ ", "yellow"), f"jobs run the model at {after}, before: {before or 'none'}")


def _change_lines(change: StreamChange) -> Iterator[Text]:
    sign, colour = SIGNS[change.kind]
    status = " (paused)" if change.status == "paused" else ""
    yield Text.assemble((f"  {sign} {change.kind.value} ", colour), (change.stream_key, "bold"), status)
    if change.by_hand:
        yield Text(f"      {change.by_hand}{_what_becomes_of_drift(change)}")
    for field in change.fields:
        if change.kind is not SyncAction.CREATE:
            yield Text(f"      {field.key}: {_shown(field.before)} -> {_shown(field.after)}")
        elif field.key in SHOWN_OF_NEW:
            yield Text(f"      {field.key}: {_shown(field.after)}")


def _what_becomes_of_drift(change: StreamChange) -> str:
    if change.kind is not SyncAction.DRIFT:
        return ""
    if change.status == "retired":
        return ": the model does not have it; it stays until the model does, or --overwrite-drift retires it"
    return ": left so; --overwrite-drift takes what the model says"


def _shown(value: Any) -> str:
    if value is None:
        return "(not set)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
