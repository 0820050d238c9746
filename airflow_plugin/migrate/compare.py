"""Every difference between a static DAG and the factory's for the same stream, or why they cannot be compared.

What the factory does differently for all streams is reported too, as `by_design`, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_plugin.migrate.command_line import DATASET, PLATFORM, STORE, WITHOUT_A_KEY, command_line
from airflow_plugin.migrate.extract import Extracted
from airflow_plugin.migrate.factory_pod import factory_pod
from airflow_plugin.migrate.rows import Find
from airflow_plugin.preview.shown import ShownDag, shown_dag
from airflow_plugin.static_dags.static_dag import StaticDag
from airflow_plugin.static_dags.static_pod import SecretKey, StaticPod
from config_schema.errors import ProblemsFound
from config_schema.problem import Problem

DAG_KEYS = ("schedule", "timezone", "retries", "execution_timeout", "pool", "priority", "owner")
POD_KEYS = ("image", "image_pull_policy", "image_pull_secrets", "namespace", "service_account", "resources")
MORE_POD_KEYS = ("node_selector", "tolerations", "keep_failed", "deferrable")
USUAL = {"pool": "default_pool", "priority": 1, "owner": "airflow"}  # what Airflow gives where a DAG has none

ONE_RUN = "the factory's streams have one merge at a time"
OWN_TASKS = "the factory's own task, which reads the job's result line and not its log file"
OWN_PROGRAM = "the image's own program, which takes other arguments"
OWN_VARIABLES = "a secret's key reaches the new job as SECRET_KEY, in capitals"
OWN_FOLDER = "the new job works in /tmp, an empty folder of its own"
OWN_RIGHTS = "the factory's pods have the least rights that the job needs"
OWN_RETRIES = "the factory waits a minute before each retry"
OWN_WORK = "the factory's own: a home that can be written, and a token by which the result is known"
OWN_SETTINGS = "the new job has this from its arguments"
SLACK = "failures are reported by Airflow, which has the connection; the job does not need Slack"
TAGS = "the factory tags its DAGs with platform, milestoning and store"

HIDDEN = "***"
SECRET_NAME = re.compile(r"passw|pwd|token|secret|api_?key|private|_pat$|credential", re.IGNORECASE)
LOGIN = re.compile(r"//[^/\s]*@")


@dataclass(frozen=True)
class DagDifference:
    """`static` and `factory` are None if that side has nothing; `by_design` says why it always differs."""

    path: str
    static: Any
    factory: Any
    by_design: str | None = None


def differences(static: StaticDag, shown: ShownDag) -> tuple[DagDifference, ...]:
    """Return the differences that can be found; a part of the file that cannot be read is one."""
    found = [*_of_dag(static, shown), *_of_tasks(static, shown), *_of_job(static, shown)]
    if shown.plan.pod is None:
        found.append(DagDifference("pod", "a pod", "a process of the worker"))
    else:
        found += _of_pod(static.pod, factory_pod(shown), known_volumes=shown.built.pod is not None)
    found += [
        DagDifference(name, f"cannot be read: {unread.what} (line {unread.line})", "not compared")
        for name, unread in (*static.unread.items(), *static.pod.unread.items())
    ]
    hidden = {*static.unread, *static.pod.unread}
    return tuple(one for one in found if one.factory == "not compared" or one.path.rpartition(".")[2] not in hidden)


def _of_dag(static: StaticDag, shown: ShownDag) -> Iterator[DagDifference]:
    plan = shown.plan
    yield from _one("dag.dag_id", static.dag_id, plan.dag_id)
    for key in DAG_KEYS:
        usual = USUAL.get(key)
        before, after = getattr(static, key), getattr(plan, key)
        yield from _one(f"dag.{key}", usual if before is None else before, usual if after is None else after)
    yield from _one("dag.catchup", static.catchup, False)
    yield from _one("dag.max_active_runs", static.max_active_runs, 2 if plan.hands_over else 1, ONE_RUN)
    for key in static.others:
        yield DagDifference(f"dag.{key}", "is set", None, OWN_RETRIES if key == "retry_delay" else None)
    gone = [tag for tag in static.tags if tag not in plan.tags]
    own = {plan.job.platform_name, plan.job.stream_key}
    if gone or set(static.tags) != set(plan.tags):
        by_design = TAGS if own.issuperset(gone) else None
        yield DagDifference("dag.tags", list(static.tags), list(plan.tags), by_design)


def _of_tasks(static: StaticDag, shown: ShownDag) -> Iterator[DagDifference]:
    before = {task.task_id: task for task in static.tasks}
    after = {task.task_id: task for task in shown.built.tasks}
    for task_id in dict.fromkeys((*before, *after)):
        old, new = before.get(task_id), after.get(task_id)
        if old is None or new is None:
            yield DagDifference(f"tasks.{task_id}", old and old.operator, new and (new.operator or "a task"))
            continue
        if new.operator:  # which the plan alone does not know
            yield from _one(f"tasks.{task_id}.operator", old.operator, new.operator, OWN_TASKS)
        yield from _one(f"tasks.{task_id}.downstream", sorted(old.downstream), sorted(new.downstream))


def _of_job(static: StaticDag, shown: ShownDag) -> Iterator[DagDifference]:
    """Yield differences in the meaning of command lines, however they are written."""
    line, job = command_line(static.pod.words()), shown.plan.job
    if "arguments" in static.pod.unread:
        return
    store, _, dataset = job.stream_key.partition("#")
    platform = line.values.get(PLATFORM)
    if platform not in (job.platform, job.platform_name):
        yield DagDifference("job.platform", platform, job.platform)
    yield from _one("job.store", line.values.get(STORE), store)
    yield from _one("job.dataset", line.values.get(DATASET), dataset or None)
    for flag in line.others:
        yield DagDifference(f"job.--{flag}", "is given", None)
    known = [word for word in static.pod.words() if word.startswith("--")]
    for flag in sorted({word[2:].partition("=")[0] for word in known} & {*WITHOUT_A_KEY}):
        yield DagDifference(f"job.--{flag}", "is given", None, OWN_PROGRAM)


def _of_pod(static: StaticPod, factory: StaticPod, *, known_volumes: bool) -> Iterator[DagDifference]:
    for key in (*POD_KEYS, *MORE_POD_KEYS):
        yield from _one(f"pod.{key}", _value(static, key), _value(factory, key))
    yield from _one("pod.command", _words(static.command), _words(factory.command), OWN_PROGRAM)
    yield from _one("pod.arguments", _words(static.arguments), _words(factory.arguments), OWN_PROGRAM)
    yield from _of_secrets(static, factory)
    yield from _of_environment(static, factory)
    for name in static.others:
        yield DagDifference(f"pod.{name}", "is set", None)
    if known_volumes:
        rights = "no root, a root file system that is read only, no token of a service account"
        yield DagDifference("pod.security_context", None, rights, OWN_RIGHTS)
        yield from _of_volumes(static, factory)


def _of_secrets(static: StaticPod, factory: StaticPod) -> Iterator[DagDifference]:
    """Yield differences by secret and key; a different variable for the same key is a difference of its own."""
    whole = {one.secret for one in static.secrets if one.key is None}
    after = set(factory.secrets)
    for one in static.secrets:
        if one not in after and not (one.key is None and any(other.secret == one.secret for other in after)):
            by_design = SLACK if "slack" in one.secret.lower() else None
            yield DagDifference(f"pod.secrets.{one.secret}", one.key or "all keys", None, by_design)
    for one in factory.secrets:
        if one not in set(static.secrets) and one.secret not in whole:
            yield DagDifference(f"pod.secrets.{one.secret}", None, one.key)
    before = {secret: name for name, secret in static.env.items() if isinstance(secret, SecretKey)}
    for name, secret in factory.env.items():
        if isinstance(secret, SecretKey) and before.get(secret, name) != name:
            yield DagDifference(f"pod.env.{before[secret]}", before[secret], name, OWN_VARIABLES)


def _of_environment(static: StaticPod, factory: StaticPod) -> Iterator[DagDifference]:
    """Yield variables that are not from secrets. Values are hidden if their name looks like a secret's."""
    before = {name: value for name, value in static.env.items() if not isinstance(value, SecretKey)}
    after = {name: value for name, value in factory.env.items() if not isinstance(value, SecretKey)}
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) == after.get(name):
            continue
        by_design = OWN_SETTINGS if name.startswith("DATASURFACE_") else None
        by_design = by_design if name in before else OWN_WORK
        yield DagDifference(f"pod.env.{name}", _shown(name, before.get(name)), _shown(name, after.get(name)), by_design)


def _of_volumes(static: StaticPod, factory: StaticPod) -> Iterator[DagDifference]:
    before, after = (_by_path(pod) for pod in (static, factory))
    for path in dict.fromkeys((*before, *after)):
        if before.get(path) != after.get(path):
            empty = all(of in (None, "emptyDir") for of in (before.get(path), after.get(path)))
            by_design = OWN_FOLDER if empty else None
            yield DagDifference(f"pod.volumes.{path}", before.get(path), after.get(path), by_design)


def _by_path(pod: StaticPod) -> dict[str, str]:
    """Return the mounts by path: the kind of each volume, and its name in the cluster if it has one."""
    kinds: dict[str, str] = {}
    for volume in pod.volumes:
        for kind, of in volume.items():
            if kind != "name":
                named = next(
                    (str(of[key]) for key in ("name", "secretName", "claimName", "path") if key in (of or {})), ""
                )
                kinds[volume.get("name", "")] = f"{kind} {named}".strip()
    return {str(one.get("mountPath")): kinds.get(one.get("name", ""), "no such volume") for one in pod.mounts}


def _one(path: str, static: Any, factory: Any, by_design: str | None = None) -> Iterator[DagDifference]:
    if static != factory:
        yield DagDifference(path, static, factory, by_design)


def _value(pod: StaticPod, key: str) -> Any:
    value = getattr(pod, key)
    if key == "tolerations":
        return [dict(sorted(one.items())) for one in value]
    return list(value) if isinstance(value, tuple) else value


def _words(words: tuple[str, ...]) -> list[str]:
    """Return a command line, without the word that follows a name which looks like a secret's."""
    shown = []
    hide = False
    for word in words:
        name, sign, _ = word.partition("=")
        secret = word.startswith("--") and bool(SECRET_NAME.search(name)) and not name.endswith("-credential")
        shown.append(HIDDEN if hide and not word.startswith("--") else f"{name}={HIDDEN}" if secret and sign else word)
        hide = secret and not sign
    return [LOGIN.sub(f"//{HIDDEN}@", word) for word in shown]


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return HIDDEN if SECRET_NAME.search(name) else LOGIN.sub(f"//{HIDDEN}@", value)
    return sorted(value) if isinstance(value, Mapping) else value


@dataclass(frozen=True)
class Compared:
    """`origin` says where the row comes from, `built_by` what built its DAG; both are empty if there are problems."""

    dag: StaticDag
    origin: str = ""
    built_by: str = ""
    differences: tuple[DagDifference, ...] = ()
    problems: tuple[Problem, ...] = ()

    def differs(self, *, strict: bool) -> bool:
        """Return whether anything differs; without `strict`, differences by design do not count."""
        return any(strict or one.by_design is None for one in self.differences)


def compared(one: Extracted, find: Find, *, with_airflow: bool) -> Compared:
    """Compare with the factory's DAG; if the factory would quarantine the row, return those problems instead."""
    try:
        shown = shown_dag(find(one), datetime.now(UTC), with_airflow=with_airflow)
    except ProblemsFound as error:
        return Compared(one.dag, problems=error.problems)
    return Compared(one.dag, shown.candidate.origin, shown.built.by, differences(one.dag, shown))
