"""A DAG as a person reads it, and the difference between configs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from typing import Any

import yaml
from rich.text import Text

from airflow_plugin.preview.shown import ShownDag
from airflow_plugin.sync.diff import FieldChange
from config_schema.terminal import PlainConsole

# Shown in lines of their own; whatever else a plan has follows in its own words.
OF_THEIR_OWN = ("dag_id", "schedule", "timezone", "tags", "doc", "job", "pod", "command")
LABEL = 19


def print_dag(dag: ShownDag) -> None:
    """Print a DAG, in colours if the terminal has them."""
    _print(_dag_lines(dag))


def print_differences(differences: Iterable[FieldChange], origin: str) -> None:
    """Print how a config differs from the one at `origin`."""
    changes = list(differences)
    _print([Text(f"Differs from {origin}:" if changes else f"The same as in {origin}.", "bold")])
    _print(Text(f"  {one.key}: {_word(one.before)} -> {_word(one.after)}") for one in changes)


def _dag_lines(dag: ShownDag) -> Iterator[Text]:
    plan = dag.plan
    yield Text.assemble((plan.dag_id, "bold"), f"  {plan.job}")
    yield _line("config", dag.candidate.origin)
    yield _line("settings", dag.candidate.settings_origin)
    yield _line("built by", dag.built.by)
    yield _line("schedule", _schedule(dag))
    yield _line("tags", ", ".join(plan.tags))
    for field in fields(plan):
        if field.name not in OF_THEIR_OWN and (value := getattr(plan, field.name)) not in (None, ()):
            yield _line(field.name.replace("_", " "), _word(value))
    yield from _block("tasks", _tasks(dag))
    yield from _block("arguments" if plan.pod else "process", dag.command())
    yield from _block("secrets, by reference", _secrets(dag))
    if dag.built.pod is not None:
        yield from _block("pod", _yaml(dag.built.pod))
    elif plan.pod is not None:
        yield from _block("pod, as far as the row says", _yaml(asdict(plan.pod)))


def _schedule(dag: ShownDag) -> str:
    plan = dag.plan
    if not dag.next_times:
        return plan.schedule or ("any of its assets" if plan.schedule_assets else "none, a trigger starts it")
    times = ", ".join(time.strftime("%Y-%m-%d %H:%M %Z") for time in dag.next_times)
    return f"{plan.schedule} in {plan.timezone}: next {times}"


def _tasks(dag: ShownDag) -> Iterator[str]:
    width = max(len(task.task_id) for task in dag.built.tasks)
    for task in dag.built.tasks:
        after = f" -> {', '.join(task.downstream)}" if task.downstream else ""
        yield f"{task.task_id:{width}}  {task.operator}{after}".rstrip()


def _secrets(dag: ShownDag) -> Iterator[str]:
    for secret in dag.plan.job.secrets:
        yield f"{secret.name}: {secret.key} of {secret.secret}{' (may be missing)' if secret.optional else ''}"


def _yaml(data: Any) -> list[str]:
    # By way of JSON: a tuple is a list then, and no object repeats as an alias.
    text: str = yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False, width=10_000, allow_unicode=True)
    return text.splitlines()


def _line(label: str, value: str) -> Text:
    return Text.assemble((f"  {label:{LABEL}}", "dim"), value)


def _block(label: str, lines: Iterable[str]) -> Iterator[Text]:
    yield Text(f"  {label}", "dim")
    for line in lines:
        yield Text(f"    {line}")


def _word(value: Any) -> str:
    if value is None:
        return "(not set)"
    structured = isinstance(value, bool | int | float | list | tuple | dict)
    return json.dumps(value, ensure_ascii=False) if structured else str(value)


def _print(lines: Iterable[Text]) -> None:
    console = PlainConsole()
    for line in lines:
        console.print(line, soft_wrap=True)
