"""The outcome of a merge run: ResultCode, MergeResult, and how they are written to and read from a log.

A job's last two lines are `DATASURFACE_RESULT={json}` and `DATASURFACE_RESULT_CODE=<code>`. Our reader accepts the
first, and only with the token of its try in it: data can print the line, but does not know the token. The second is for
people, and for readers of the older format.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import IntEnum
from typing import Any, TypeVar

RESULT_PREFIX = "DATASURFACE_RESULT="
CODE_PREFIX = "DATASURFACE_RESULT_CODE="
TOKEN_VARIABLE = "DATASURFACE_RESULT_TOKEN"
TERMINATION_MESSAGE_BYTES = 4000  # Kubernetes keeps 4096 bytes of a container's termination message


class ResultCode(IntEnum):
    """DONE: nothing more to do now. KEEP_WORKING: run again at once. ERROR: see `error` and `retryable`."""

    DONE = 0
    KEEP_WORKING = 1
    ERROR = -1


@dataclass(frozen=True)
class Counts:
    """Counts of keys, not row versions. Over a time slice the first three are sums, the others the last batch's."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    total: int = 0

    def then(self, later: Counts) -> Counts:
        """Return the counts of this batch and a later one together."""
        return Counts(
            self.inserted + later.inserted,
            self.updated + later.updated,
            self.deleted + later.deleted,
            later.unchanged,
            later.total,
        )

    @property
    def changed(self) -> int:
        """The number of keys inserted, updated or deleted."""
        return self.inserted + self.updated + self.deleted

    def __str__(self) -> str:
        found = f"{self.inserted} inserted, {self.updated} updated, {self.deleted} deleted, {self.unchanged} unchanged"
        return f"{found} of {self.total}"


@dataclass(frozen=True)
class QualityResult:
    """A quality check of a dataset: how many rows broke it, never which or with what values.

    `kind` and `severity` are the model's words. Over a time slice `violations` is the sum. A check that measures a
    value has 1 if it is out of bounds in the last batch; `wanted` says what they are, and `value` is a share or a
    quotient, never a value of a row.
    """

    check: str
    kind: str
    severity: str
    violations: int
    value: float | None = None
    wanted: str = ""

    @property
    def is_measured(self) -> bool:
        """Whether the check measures one value of the dataset, instead of counting rows."""
        return bool(self.wanted) or self.kind == "row_count"

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data; of what an older reader does not know, only what has a value."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: one for name, one in known.items() if one is not None and (name != "wanted" or one)}

    def __str__(self) -> str:
        if not self.is_measured:
            return f"{self.violations} row{'' if self.violations == 1 else 's'}"
        if not self.wanted:
            return "the number of rows is not as demanded" if self.violations else "the number of rows is as demanded"
        shown = "the value" if self.value is None else f"{self.value:.6g}"
        return f"{shown} is {'not ' if self.violations else ''}{self.wanted}"


@dataclass(frozen=True)
class DatasetCheck:
    """A quality check and its dataset; the text says how many rows break it."""

    dataset: str
    of: QualityResult

    def __str__(self) -> str:
        return f"{self.dataset}: {self.of.check} ({self.of.kind}): {self.of}"


@dataclass(frozen=True)
class DatasetResult:
    """One dataset's counts, its strategy and the reason for it, its seconds, and its quality checks."""

    counts: Counts = field(default_factory=Counts)
    strategy: str = ""
    reason: str = ""
    seconds: float = 0.0
    quality: tuple[QualityResult, ...] = ()


@dataclass(frozen=True)
class RefusedDelete:
    """A batch that would have deleted more rows of a dataset than its stream allows: `rows` of `before`."""

    batch_id: int
    dataset: str
    rows: int
    before: int
    max_delete_fraction: float

    def __str__(self) -> str:
        return (
            f"batch {self.batch_id} would delete {self.rows} of {self.before} rows of {self.dataset}, "
            f"more than max_delete_fraction {self.max_delete_fraction:g} allows"
        )


@dataclass(frozen=True)
class MergeResult:
    """The outcome of one run of the merge job on one stream.

    `batches` is the number of batches that this run committed, `batch_id` the last committed one (0: none ever).
    `shape_changed` says that merge tables or their columns were added, so that consumers' views must follow.
    `partly_read` names the datasets of which the last batch read only what a cursor passed: their `total` is the merge
    table's number of rows, and the source's is not known.
    `error` and `retryable` are set with ERROR only; `retryable` says whether a retry can help. `refused_delete` is why,
    where a person may approve what the batch would delete.
    """

    code: ResultCode
    run_id: str
    platform: str
    stream_key: str
    batch_id: int = 0
    batches: int = 0
    model_commit: str | None = None
    source_snapshot_time: str | None = None
    seconds: float = 0.0
    datasets: dict[str, DatasetResult] = field(default_factory=dict)
    error: str | None = None
    retryable: bool = False
    shape_changed: bool = False
    truncated: bool = False
    refused_delete: RefusedDelete | None = None
    total: Counts | None = None
    partly_read: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.total is None:
            object.__setattr__(self, "total", summed(self.datasets))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data, without the token."""
        data = {**asdict(self), "code": int(self.code)}
        for name, dataset in self.datasets.items():
            data["datasets"][name]["quality"] = [check.as_dict() for check in dataset.quality]
        return data


def summed(datasets: dict[str, DatasetResult]) -> Counts:
    """Return the counts of all datasets together."""
    rows = [result.counts for result in datasets.values()]
    return Counts(*(sum(getattr(row, f.name) for row in rows) for f in fields(Counts)))


def result_from_dict(data: dict[str, Any]) -> MergeResult:
    """Return the result of such data; unknown keys are ignored: the inverse of `MergeResult.to_dict`.

    Raises ValueError, KeyError or TypeError if `data` is not a result.
    """
    known = {f.name for f in fields(MergeResult)}
    values = {key: value for key, value in data.items() if key in known}
    values["code"] = ResultCode(values["code"])
    values["datasets"] = {name: _dataset_result(dataset) for name, dataset in values.get("datasets", {}).items()}
    values["partly_read"] = tuple(map(str, values.get("partly_read", ())))
    values["refused_delete"] = refused_delete_from_dict(values.get("refused_delete"))
    if values.get("total") is not None:
        values["total"] = _typed(Counts, values["total"])
    return _typed(MergeResult, values)


def refused_delete_from_dict(data: Any) -> RefusedDelete | None:
    """Return the refused delete of such data; None for none, and for what another version wrote in another form."""
    if not isinstance(data, dict):
        return None
    try:
        return RefusedDelete(**{f.name: data[f.name] for f in fields(RefusedDelete)})
    except KeyError:
        return None


def _dataset_result(data: dict[str, Any]) -> DatasetResult:
    quality = tuple(_typed(QualityResult, check) for check in data.get("quality", ()))
    return _typed(DatasetResult, {**data, "counts": _typed(Counts, data["counts"]), "quality": quality})


# The types of fields that are checked, as they are written above.
PLAIN: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "str": (str,),
    "str | None": (str, type(None)),
    "bool": (bool,),
}
LARGEST = 2**63  # no number in a result is as large
Made = TypeVar("Made")


def _typed(kind: Callable[..., Made], data: dict[str, Any]) -> Made:
    """Return the dataclass of such data, without what a newer job has added to it.

    Raises TypeError for a value of another type, or too large a number.
    """
    if not isinstance(data, dict):
        raise TypeError(f"{data!r:.50} is no part of a result")
    known = fields(kind)  # type: ignore[arg-type]  # a dataclass
    for one in known:
        wanted = PLAIN.get(str(one.type))
        if wanted is None or one.name not in data:
            continue
        value = data[one.name]
        if not isinstance(value, wanted) or (isinstance(value, int | float) and not abs(value) < LARGEST):
            raise TypeError(f"{one.name} of a result is no {one.type}")
    names = {one.name for one in known}
    return kind(**{name: value for name, value in data.items() if name in names})


def known_checks(stored: Iterable[tuple[str, dict[str, Any]]]) -> tuple[DatasetCheck, ...]:
    """Return stored checks, each with its dataset; one that another version wrote in another form is left out."""
    found = []
    for dataset, check in stored:
        try:
            one = DatasetCheck(dataset, _typed(QualityResult, check))
        except TypeError:
            continue
        if all(isinstance(text, str) for text in (one.of.check, one.of.kind, one.of.severity)):
            found.append(one)
    return tuple(one for one in found if type(one.of.violations) is int)


# --- writing


def result_lines(result: MergeResult, token: str) -> tuple[str, str]:
    """Return the last two lines of a job's log."""
    payload = json.dumps({**result.to_dict(), "token": token}, separators=(",", ":"))
    return RESULT_PREFIX + payload, f"{CODE_PREFIX}{int(result.code)}"


def termination_message(result: MergeResult, token: str) -> str:
    """Return the result line for a container's termination message.

    A line of more than 4000 bytes is cut to totals, code, token and `truncated`.
    """
    line, _ = result_lines(result, token)
    error = result.error or ""
    while len(line.encode()) > TERMINATION_MESSAGE_BYTES:
        short = replace(result, datasets={}, partly_read=(), error=error or None, truncated=True)
        line, _ = result_lines(short, token)
        error = error[: len(error) // 2]
    return line


# --- reading


class ResultReader:
    """Finds the result of one try in the lines of a log, in any order, in pieces, and repeated.

    A line counts only if it contains the token of this try; the same line counts once.
    """

    def __init__(self, token: str) -> None:
        if not token:
            raise ValueError("a result reader needs the token of its try")
        self._token = token
        self.result: MergeResult | None = None

    def feed(self, text: str) -> None:
        """Look through one line, or a chunk of several."""
        for line in text.splitlines():
            found = self._parsed(line.strip())
            if found is not None and (self.result is None or self.result.truncated):
                self.result = found

    def _parsed(self, line: str) -> MergeResult | None:
        # Who does not know the token cannot have anything parsed here, however long or deep.
        if not line.startswith(RESULT_PREFIX) or json.dumps(self._token) not in line:
            return None
        try:
            data = json.loads(line[len(RESULT_PREFIX) :])
            if not hmac.compare_digest(str(data["token"]).encode(), self._token.encode()):
                return None
            return result_from_dict(data)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None  # printed by data, or cut off in the middle: not a result
