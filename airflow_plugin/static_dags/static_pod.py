"""The pod that a static file's merge task asks for, as far as its syntax tree tells; its objects as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_plugin.images import usual_pull_policy
from airflow_plugin.static_dags.ast_values import Imported, Made, Unread

PLAIN = {  # of the pod, by the operator's argument
    "image": "image",
    "namespace": "namespace",
    "service_account_name": "service_account",
    "node_selector": "node_selector",
    "deferrable": "deferrable",
}
# Arguments that are read elsewhere, or that only say how the operator waits for the pod and shows its log.
KNOWN = frozenset(
    (
        "task_id",
        "dag",
        "name",
        "cmds",
        "arguments",
        "env_vars",
        "env_from",
        "secrets",
        "container_resources",
        "image_pull_policy",
        "image_pull_secrets",
        "on_finish_action",
        "is_delete_operator_pod",
        "get_logs",
        "do_xcom_push",
        "in_cluster",
        "random_name_suffix",
        "reattach_on_restart",
        "startup_timeout_seconds",
        "schedule_timeout_seconds",
        "log_events_on_failure",
        "log_pod_spec_on_failure",
        "poll_interval",
        "kubernetes_conn_id",
        "config_file",
        "cluster_context",
        "base_container_name",
        "retries",
        "retry_delay",
        "owner",
        "pool",
        "priority_weight",
        "execution_timeout",
        "doc",
        "doc_md",
        "trigger_rule",
        "logging_interval",
    )
)
LISTS = {"volumes": "volumes", "volume_mounts": "mounts", "tolerations": "tolerations"}


@dataclass(frozen=True, order=True)
class SecretKey:
    """A key of a Kubernetes secret that reaches the job, never its value; without `key` all that it has."""

    secret: str
    key: str | None


@dataclass(frozen=True)
class StaticPod:
    """`env` has a SecretKey, a text, or what else a variable comes from; `mounts` are V1VolumeMounts, and so on.

    `others` are further arguments of the operator; `unread` has by name of the field what could not be read.
    """

    image: str | None = None
    image_pull_policy: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    namespace: str | None = None
    service_account: str | None = None
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    env: dict[str, Any] = field(default_factory=dict)
    env_from: tuple[SecretKey, ...] = ()
    resources: dict[str, Any] | None = None
    volumes: tuple[dict[str, Any], ...] = ()
    mounts: tuple[dict[str, Any], ...] = ()
    node_selector: dict[str, str] | None = None
    tolerations: tuple[dict[str, Any], ...] = ()
    keep_failed: bool = False
    deferrable: bool = False
    others: tuple[str, ...] = ()
    unread: dict[str, Unread] = field(default_factory=dict)

    @property
    def secrets(self) -> tuple[SecretKey, ...]:
        """Those that reach the job, in the file's order."""
        return tuple(dict.fromkeys((*(one for one in self.env.values() if isinstance(one, SecretKey)), *self.env_from)))

    def words(self) -> list[str]:
        """Return the command line, also that of a shell's -c."""
        words = [*self.command, *self.arguments]
        return shlex.split(words[words.index("-c") + 1]) if "-c" in words[:-1] else words


def static_pod(task: Made, default: Callable[[str], Any]) -> StaticPod:
    """Return a pod task's pod; `default` gives the DAG's default for a missing argument."""
    values: dict[str, Any] = {}
    unread: dict[str, Unread] = {}

    def read(name: str, field_name: str, convert: Callable[[Any], Any] = lambda value: value) -> None:
        value = task.kwargs[name] if name in task.kwargs else default(name)
        if value is None:
            return
        try:
            values[field_name] = convert(manifest(value, task.line))
        except CannotRead as error:
            unread[field_name] = error.unread
        except (TypeError, ValueError, KeyError, AttributeError):
            unread[field_name] = Unread(task.line, f"{name} has a shape that is not known")

    for name, field_name in PLAIN.items():
        read(name, field_name)
    for name, field_name in LISTS.items():
        read(name, field_name, tuple)
    read("cmds", "command", _words)
    read("arguments", "arguments", _words)
    read("env_vars", "env", _environment)
    read("env_from", "env_from", _whole_secrets)
    read("container_resources", "resources")
    read("image_pull_policy", "image_pull_policy")
    read("image_pull_secrets", "image_pull_secrets", _pull_secrets)
    _read_secrets(task, values, unread)
    _read_ending(task, values, unread)
    values.setdefault("image_pull_policy", usual_pull_policy(str(values.get("image") or "")))
    others = tuple(key for key in task.kwargs if key not in KNOWN and key not in {*PLAIN, *LISTS} and task.kwargs[key])
    return StaticPod(**values, others=others, unread=unread)


def _words(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _environment(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {name: str(text) for name, text in value.items()}
    return {variable["name"]: _origin(variable) for variable in value}


def _origin(variable: dict[str, Any]) -> Any:
    source = variable.get("valueFrom")
    if source is None:
        return str(variable["value"])
    reference = source.get("secretKeyRef")
    return SecretKey(reference["name"], reference["key"]) if reference else source


def _whole_secrets(value: Any) -> tuple[SecretKey, ...]:
    return tuple(SecretKey(one["secretRef"]["name"], None) for one in value if "secretRef" in one)


def _pull_secrets(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.split(","))
    return tuple(one if isinstance(one, str) else one["name"] for one in value)


def _read_secrets(task: Made, values: dict[str, Any], unread: dict[str, Unread]) -> None:
    """Read Airflow's own Secret objects: `Secret("env", "POSTGRES_PASSWORD", "postgres", "password")`."""
    given = task.kwargs.get("secrets")
    for one in given if isinstance(given, list | tuple) else [given] if given is not None else []:
        parts = [one.given(name, at) for at, name in enumerate(SECRET_PARTS)] if isinstance(one, Made) else [None] * 4
        kind, target, secret, key = parts
        if kind != "env" or not isinstance(secret, str):
            line = one.line if isinstance(one, Made | Unread) else task.line
            unread["secrets"] = one if isinstance(one, Unread) else Unread(line, "a secret that is no variable by name")
        elif isinstance(target, str) and isinstance(key, str):
            values.setdefault("env", {})[target] = SecretKey(secret, key)
        else:
            values["env_from"] = (*values.get("env_from", ()), SecretKey(secret, None))


SECRET_PARTS = ("deploy_type", "deploy_target", "secret", "key")


def _read_ending(task: Made, values: dict[str, Any], unread: dict[str, Unread]) -> None:
    action, old = task.kwargs.get("on_finish_action"), task.kwargs.get("is_delete_operator_pod")
    try:
        parts = manifest(action, task.line)
    except CannotRead as error:
        unread["keep_failed"] = error.unread
        return
    values["keep_failed"] = parts != "delete_pod" if parts is not None else old is False


class CannotRead(Exception):
    """A part of a value cannot be read."""

    def __init__(self, unread: Unread) -> None:
        super().__init__(unread)
        self.unread = unread


def manifest(value: Any, line: int) -> Any:
    """Return a value as JSON has it, without unset keys. Raises CannotRead; `line` is where the value is."""
    if isinstance(value, Unread):
        raise CannotRead(value)
    if isinstance(value, Made):
        return _object(value)
    if isinstance(value, dict):
        return {key: manifest(one, line) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [manifest(one, line) for one in value]
    if isinstance(value, Imported):  # a member of an Enum, such as OnFinishAction.DELETE_POD
        return value.name.rpartition(".")[2].lower()
    if value is None or isinstance(value, str | int | float):
        return value
    raise CannotRead(Unread(line, "a function is no value"))


def _object(made: Made) -> Any:
    if not made.kind.startswith("V1") or made.args:
        raise CannotRead(Unread(made.line, f"{made.kind}(...) is known only where the file runs"))
    given = {_camel(key): manifest(one, made.line) for key, one in made.kwargs.items() if one is not None}
    if made.kind == "V1EnvVar" and "valueFrom" not in given:
        given.setdefault("value", "")
    return given


def _camel(name: str) -> str:
    first, *others = name.rstrip("_").split("_")
    return first + "".join(part.capitalize() for part in others)
