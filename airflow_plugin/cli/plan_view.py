"""A plan as a person reads it: the change of each row, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

from airflow_plugin.sync.diff import StreamChange, SyncAction
from airflow_plugin.sync.effects import Effect, EffectKind, Sign
from airflow_plugin.sync.effects_found import Effects
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
MOST_EFFECTS = 20  # shown of a kind and platform
COLOURS = {Sign.NEW: "green", Sign.CHANGED: "yellow", Sign.GONE: "red"}


def print_plan(
    plan: Plan, effects: Effects | None = None, environment: str | None = None, *, on_stderr: bool = False
) -> None:
    """Print a plan, and its effects beside the rows, in colours if the terminal has them."""
    console = PlainConsole(stderr=on_stderr)
    if environment is not None:
        console.print(Text.assemble("for the environment ", (environment, "bold")), soft_wrap=True)
    for platform in plan.platforms:
        of_platform = () if effects is None else effects.by_platform.get(platform.platform, ())
        for line in (*_platform_lines(platform), *_effect_lines(of_platform)):
            console.print(line, soft_wrap=True)


def plan_as_dict(plan: Plan, effects: Effects | None, environment: str | None = None) -> dict[str, Any]:
    """Return a plan as --json shows it: all effects of each platform, and the environment of a model that has any."""
    shown = plan.to_dict() | ({} if environment is None else {"environment": environment})
    for platform in shown["platforms"]:
        found = () if effects is None else effects.by_platform.get(platform["platform"], ())
        platform["effects"] = [one.to_dict() for one in found]
    return shown


def left_note(platform: str) -> str:
    """Return what happened to a platform that has left the model."""
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
    """Yield lines about the model that jobs read: how many rows were written, or why none."""
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


def _effect_lines(effects: Sequence[Effect]) -> Iterator[Text]:
    for kind, grouped in groupby(
        sorted(effects, key=lambda one: list(EffectKind).index(one.kind)), lambda one: one.kind
    ):
        of_kind = list(grouped)
        for one in of_kind[:MOST_EFFECTS]:
            yield Text.assemble(
                (f"  {one.sign.value} {kind.value} ", COLOURS[one.sign]), (one.name, "bold"), f": {one.what}"
            )
        if len(of_kind) > MOST_EFFECTS:
            yield Text(f"    and {len(of_kind) - MOST_EFFECTS} more of this kind, which --json lists", "dim")


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
