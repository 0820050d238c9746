"""Requests to a platform's operations DAG: the conf of its runs, checked. Pure, for the web pages too.

{"action": "reset_batch", "stream_key": "Store1", "by": "alice", "reason": "the source was restored"}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from config_schema import names
from config_schema.errors import ProblemsFound, choose_from
from config_schema.problem import Problem, Rule

CONF_IS_OBJECT = Rule("DF2701", "The conf of an operation is an object.")
CONF_KEY_KNOWN = Rule("DF2702", "A key of an operation's conf is known.")
CONF_ACTION_KNOWN = Rule("DF2703", "An operation names an action that there is.")
CONF_TEXTS = Rule("DF2704", "Texts of a conf are single lines of printable characters, and not too long.")
CONF_SAYS_WHO = Rule("DF2705", "An operation says who asks for it.")
CONF_STREAM = Rule("DF2706", "An operation names a stream if, and only if, its action concerns one stream.")
CONF_DATASET = Rule("DF2707", "Only the action trust, and those about a refused delete, name a dataset.")
CONF_ALLOW_DELETES = Rule("DF2708", "`allow_deletes` in a run's conf is true, or not given.")
CONF_NUMBERS = Rule("DF2709", "Batch, rows and keys in an operation's conf are numbers, where its action has them.")

CONF_STREAMS = Rule("DF2710", "`stream_keys` in place of `stream_key` goes with purge: up to 100 different keys.")

WHERE = "conf"
MOST_STREAMS = 100  # in one request
ALLOW_DELETES, BY, REASON = "allow_deletes", "by", "reason"  # in the conf of a stream's own run
LONGEST = {"stream_key": 255, "dataset": 255, "by": 200, "reason": 1000}


class Action(Enum):
    """The actions of the operations DAG."""

    RESET_BATCH = "reset_batch"  # a stream's open batch goes back to its start
    ALLOW_DELETES = "allow_deletes"  # the stream runs at once, and one batch may delete more than max_delete_fraction
    APPROVE_DELETE = "approve_delete"  # a batch that was refused for what it would delete goes on, in a run at once
    ASK_DELETE = "ask_delete"  # the same, once a person has approved it: Airflow asks for that
    TRUST = "trust"  # version diff is on again where an audit has put it off
    CHECK_SOURCE = "check_source"  # the stream's source is looked at: reach, login, tables, columns, types, rights
    SHOW_CHANGES = "show_changes"  # what a batch changed is kept with it, for the pages: numbers, and some keys
    PURGE = "purge"  # a retired stream goes for good: its row, tables, maps, views and batches
    RECONCILE_VIEWS = "reconcile_views"  # consumers' views, roles and rights are brought to the model

    @property
    def of_stream(self) -> bool:
        """Whether the action concerns one stream."""
        return self is not Action.RECONCILE_VIEWS

    @property
    def of_delete(self) -> bool:
        """Whether the action is about a delete that was refused."""
        return self in (Action.APPROVE_DELETE, Action.ASK_DELETE)

    @property
    def starts_a_run(self) -> bool:
        """Whether a run of the stream's own DAG follows."""
        return self is Action.ALLOW_DELETES or self.of_delete


_OF_DELETE = frozenset(action for action in Action if action.of_delete)
MOST_KEYS = 20
# In a conf: the largest, the actions that have it, and what is wrong with others.
NUMBERS = {
    "batch": (2**31 - 1, _OF_DELETE | {Action.SHOW_CHANGES}, "is about no batch"),
    "rows": (2**63 - 1, _OF_DELETE, "is about no refused delete"),
    "keys": (MOST_KEYS, frozenset({Action.SHOW_CHANGES}), "shows no values"),
}


@dataclass(frozen=True)
class Operation:
    """A request and the person who makes it: an Airflow user, or another name."""

    action: Action
    by: str
    stream_key: str | None = None
    dataset: str | None = None  # with trust: only this one of a stream of several; else that of the refused delete
    reason: str | None = None
    batch: int | None = None  # that was refused for what it would delete, or whose changes are wanted
    rows: int | None = None  # that it would delete
    keys: int | None = None  # so many of each kind of change are shown with their values
    stream_keys: tuple[str, ...] | None = None  # with purge, in place of stream_key

    def to_conf(self) -> dict[str, str | int | list[str]]:
        """Return the conf of the run that does it."""
        keys = None if self.stream_keys is None else list(self.stream_keys)
        given = {**asdict(self), "action": self.action.value, "stream_keys": keys}
        return {key: value for key, value in given.items() if value is not None}

    def __str__(self) -> str:
        many = None if self.stream_keys is None else f"of {len(self.stream_keys)} streams"
        what = " ".join(filter(None, (self.action.value, self.stream_key, many, self.dataset)))
        return f"{what}, asked for by {self.by}" + (f": {self.reason}" if self.reason else "")


def operation(conf: object) -> Operation:
    """Return the operation in a conf. Raises ProblemsFound with every problem in it."""
    if not isinstance(conf, Mapping):
        what = f"it is no object but a {type(conf).__name__}"
        raise ProblemsFound(
            WHERE, [CONF_IS_OBJECT.problem(WHERE, "", what, 'Give {"action": ..., "stream_key": ..., "by": ...}')]
        )
    problems = list(_problems(conf))
    if problems:
        raise ProblemsFound(WHERE, problems)
    many = {"stream_keys": tuple(conf["stream_keys"])} if "stream_keys" in conf else {}
    return Operation(**{**conf, "action": Action(conf["action"]), **many})


def flags_of_run(conf: object) -> tuple[str, ...]:
    """Return the options that a run's conf adds to its merge job: large deletes, and who allowed them.

    Raises ProblemsFound for an invalid conf.
    """
    if not isinstance(conf, Mapping) or ALLOW_DELETES not in conf:
        return ()
    problems = []
    if conf[ALLOW_DELETES] is not True:
        what = f"{conf[ALLOW_DELETES]!r:.100} is not true"
        problems.append(CONF_ALLOW_DELETES.problem(WHERE, ALLOW_DELETES, what, "Leave it out"))
    if not _is_line(conf.get(BY), LONGEST[BY]):
        problems.append(CONF_TEXTS.problem(WHERE, BY, "it is no line of text", "Say who allows the deletes"))
    if REASON in conf and not _is_line(conf[REASON], LONGEST[REASON]):
        problems.append(CONF_TEXTS.problem(WHERE, REASON, "it is no line of text", "Say why, or leave it out"))
    if problems:
        raise ProblemsFound(WHERE, problems)
    return "--allow-deletes", f"--by={conf[BY]}", *([f"--reason={conf[REASON]}"] if REASON in conf else [])


def run_id_of_stream(action: Action, run_id: str) -> str:
    """Return the id of the stream's run that a run of the operations DAG starts."""
    return names.shortened(f"{action.value}__{run_id}", names.DAG_ID_LENGTH)


def _problems(conf: Mapping[Any, Any]) -> Iterator[Problem]:
    keys = list(Operation.__dataclass_fields__)
    for key in conf:
        if key not in keys:
            yield CONF_KEY_KNOWN.problem(WHERE, str(key)[:100], "unknown key", choose_from(str(key), keys))
    action = _action(conf.get("action"))
    if action is None:
        what = f"{conf['action']!r:.100} is no action" if "action" in conf else "it is missing"
        todo = choose_from(str(conf.get("action")), [one.value for one in Action])
        yield CONF_ACTION_KNOWN.problem(WHERE, "action", what, todo)
    for key, longest in LONGEST.items():
        if key in conf and not _is_line(conf[key], longest):
            todo = f"Give 1 to {longest} printable characters"
            yield CONF_TEXTS.problem(WHERE, key, "it is no line of text", todo)
    if "by" not in conf:
        yield CONF_SAYS_WHO.problem(WHERE, "by", "it is missing", "Say who asks for it: it is kept in the history")
    if action is None:
        return
    if "stream_keys" in conf:
        yield from _streams_problems(conf, action)
    elif action.of_stream and "stream_key" not in conf:
        yield CONF_STREAM.problem(WHERE, "stream_key", f"{action.value} wants a stream", "Give its stream_key")
    if not action.of_stream and "stream_key" in conf:
        yield CONF_STREAM.problem(WHERE, "stream_key", f"{action.value} is of the whole platform", "Leave it out")
    yield from _number_problems(conf, action)
    if action is not Action.TRUST and not action.of_delete and "dataset" in conf:
        yield CONF_DATASET.problem(WHERE, "dataset", f"{action.value} is of all datasets of a stream", "Leave it out")


def _streams_problems(conf: Mapping[Any, Any], action: Action) -> Iterator[Problem]:
    keys, key = conf["stream_keys"], "stream_keys"
    if action is not Action.PURGE:
        yield CONF_STREAMS.problem(WHERE, key, f"{action.value} is of one stream, or of none", "Give its stream_key")
    elif "stream_key" in conf:
        yield CONF_STREAMS.problem(WHERE, key, "there is a stream_key too", "Give one of them")
    elif not (
        isinstance(keys, list | tuple)
        and 0 < len(keys) <= MOST_STREAMS
        and all(_is_line(one, LONGEST["stream_key"]) for one in keys)
        and len(set(keys)) == len(keys)
    ):
        todo = f"Give 1 to {MOST_STREAMS} different keys"
        yield CONF_STREAMS.problem(WHERE, key, "it is no list of streams", todo)


def _number_problems(conf: Mapping[Any, Any], action: Action) -> Iterator[Problem]:
    for key, (most, actions, without) in NUMBERS.items():
        if key in conf and action not in actions:
            yield CONF_NUMBERS.problem(WHERE, key, f"{action.value} {without}", "Leave it out")
        elif key in conf and (type(conf[key]) is not int or not 0 < conf[key] <= most):
            yield CONF_NUMBERS.problem(
                WHERE, key, "it is no number", f"Give 1 to {most}, as the batch says, or leave it out"
            )
    if action is Action.SHOW_CHANGES and "batch" not in conf:
        yield CONF_NUMBERS.problem(WHERE, "batch", "it is missing", "Give the number of a committed batch")


def _action(value: object) -> Action | None:
    return next((one for one in Action if one.value == value), None)


def _is_line(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable() and bool(value.strip())
