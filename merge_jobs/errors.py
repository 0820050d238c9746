"""What can go wrong in a merge job; database_errors.py has the words for what databases answer.

StreamFactoryError
 ├── DatabaseFailed       a database refused or went away; retryable by its SQLSTATE
 │    ├── ConnectFailed   no session came about
 │    └── ValuesRejected  values of the source that the model's types do not hold as they are
 ├── PoolingRefused       a pooler stands between, and shares server processes in a way that no batch can be sure of
 ├── SettingRefused       a transaction does not have the settings that a batch relies on
 ├── SourceMismatch       the source cannot be read as the model says
 │    ├── SourceTableMissing, SourceColumnMissing
 │    ├── NoSnapshot      it cannot give one snapshot of the tables
 │    └── ValuesCut       its server cuts values
 ├── SourceUnsettled      the source's tables change while they are looked at (retryable)
 ├── SourceBehind         the source has an older state than the last batch read (retryable for a standby that lags)
 ├── KeysRejected         the source has duplicate or NULL keys
 │    └── ValidTimesRejected  versions have no usable time in the column that says from when they are valid
 ├── TooManyDeletes       the source has lost more of its rows than is believable
 ├── QualityFailed        rows that the batch brings break a quality check of severity fail
 ├── StoreMismatch        what stands in the merge store or in a consumers' database is in the way
 │    ├── NotOurs         it is somebody else's
 │    ├── StillUsed       something that others built uses it
 │    └── RightMissing    a right is missing that our user may not give
 ├── MapWrong             a row map does not tell what the source has (retryable: the next batch is full)
 ├── TablesHeld           other sessions read every table of a kind that earlier batches left (retryable)
 ├── StreamBusy           another job holds the stream (retryable)
 ├── BatchLost            the batch is no longer this job's to commit (retryable)
 └── Ended                the job was asked to end by a signal (retryable)

Those that one module raises stand there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config_schema.errors import StreamFactoryError, choose_from
from config_schema.model import Dataset
from config_schema.result import QualityResult
from merge_jobs.misfit import Reason


class DatabaseFailed(StreamFactoryError):
    """A database refuses a statement, or becomes unreachable while the job works with it.

    See what the error advises for its SQLSTATE; the server's own log has more.
    """

    code = "DF5001"
    # What the server said, where that is data: it goes to no log, only where people may see data.
    said: str | None = None

    def __init__(self, where: str, what: str, todo: str, *, retryable: bool, sqlstate: str | None) -> None:
        super().__init__(where, what, todo)
        self.retryable, self.sqlstate = retryable, sqlstate


class ConnectFailed(DatabaseFailed):
    """A database cannot be connected to: it is down, refuses the login, or its certificate is not trusted.

    Check server, network, login and TLS as the error says.
    """

    code = "DF5002"
    from_server: str | None = None  # the server's own text, if it has answered


@dataclass(frozen=True)
class RejectedValues:
    """Values of one column that do not fit its type; `rows` is None if their number cannot be known."""

    column: str  # empty where it cannot be known
    what: str  # as `rows with ...` goes on
    todo: str
    rows: int | None

    def __str__(self) -> str:
        rows = "rows" if self.rows is None else f"{self.rows} row{'s' if self.rows != 1 else ''}"
        return f"{f'column {self.column}: ' if self.column else ''}{rows} with {self.what}"


class ValuesRejected(DatabaseFailed):
    """Rows of the source have values that do not fit the types of the model's columns exactly.

    Correct the values in the source, or the types in the model; nothing is merged until then.
    """

    code = "DF5003"

    def __init__(self, where: str, dataset: Dataset, found: Sequence[RejectedValues], sqlstate: str | None) -> None:
        what = f"{'; '.join(map(str, found))} (key: {', '.join(dataset.primary_key)})"
        todo = ". ".join(dict.fromkeys(of.todo for of in found))
        super().__init__(where, what, todo, retryable=False, sqlstate=sqlstate)
        self.dataset, self.found = dataset.name, tuple(found)


class PoolingRefused(StreamFactoryError):
    """A pooler between job and server shares server processes, so that locks or transactions are not reliable.

    Connect to the server itself, or let the pooler pool sessions (PgBouncer's pool_mode = session).
    """

    code = "DF5004"


class SettingRefused(StreamFactoryError):
    """A session has other settings than the job has set and a batch needs.

    Look for a function in a view that sets them, or reset them for the role and the database (ALTER ROLE ...
    RESET).
    """

    code = "DF5005"

    def __init__(self, where: str, settings: Sequence[str]) -> None:
        self.settings = tuple(settings)
        todo = (
            "Look for a function in a view that sets them, or set them back for the role and the database (ALTER ROLE "
            "... RESET)"
        )
        super().__init__(where, f"the session has other settings than it set: {', '.join(settings)}", todo)


class SourceMismatch(StreamFactoryError):
    """The source cannot be read as the model describes it.

    Compare the model with the source, and correct the one that is wrong.
    """

    code = "DF5101"


class SourceTableMissing(SourceMismatch):
    """A dataset of the model names a table or view that does not exist in the source, or that its user may not see.

    Correct the table's name in the model, choose one of those that the error lists, or grant the user SELECT.
    """

    code = "DF5102"

    def __init__(self, where: str, table: str, known: Collection[str], schema: str | None = None) -> None:
        self.table, self.known, self.schema = table, tuple(known), schema
        inside = f" in schema {schema!r}" if schema else ""
        super().__init__(where, f"there is no table {table!r}{inside}", choose_from(table, known))


class SourceColumnMissing(SourceMismatch):
    """A table of the source lacks columns that the model has.

    Correct their names in the model, or remove them from it.
    """

    code = "DF5103"

    def __init__(
        self, where: str, table: str, columns: Sequence[str], known: Collection[str], todo: str | None = None
    ) -> None:
        """Take the columns that are there, too; `todo` where they are not to be shown."""
        self.table, self.columns = table, tuple(columns)
        self.known = tuple(known) if todo is None else ()
        what = f"the table {table!r} has no column {', '.join(map(repr, columns))}"
        super().__init__(where, what, todo or choose_from(columns[0], known))


class SourceBehind(StreamFactoryError):
    """The source is in an older state than the last batch read: a standby lags, or a backup was restored.

    Let the standby catch up, or check the address; after an intended restore run dagfactory runs reset.
    """

    code = "DF5107"

    def __init__(self, where: str, what: str, todo: str, *, retryable: bool) -> None:
        super().__init__(where, what, todo)
        self.retryable = retryable


class StoreMismatch(StreamFactoryError):
    """An object in the merge store, or in the consumers' database, is not as the job needs it.

    Do what the error says; nothing was changed there.
    """

    code = "DF5201"


class NotOurs(StoreMismatch):
    """A table, view, function, role or schema has one of our names, but its comment or owner shows that it is not ours.

    Rename it, or rename the part of the model that leads to the name.
    """

    code = "DF5202"

    def __init__(
        self,
        where: str,
        todo: str = "Rename it",
        what: str = "it is another role's, or its comment does not say that it is ours",
    ) -> None:
        super().__init__(where, f"it is there, and {what}", todo)


class TypeOfAnother(StoreMismatch):
    """A type of the model is one that a role has made in the database which the job has no reason to trust.

    Whoever makes a type can have a function of theirs called by who writes a value. Where the role is yours, give the
    type to the job's login; else drop it, and take CREATE on its schema from that role.
    """

    code = "DF5216"

    def __init__(self, where: str, type_text: str) -> None:
        self.type_text = type_text
        todo = "If you know its owner, run ALTER TYPE ... OWNER TO this login; if not, drop it"
        what = (
            "it belongs neither to this login nor to the owner of its schema or database, a superuser or an extension"
        )
        super().__init__(f"{where}: type {type_text!r}", what, todo)


class StillUsed(StoreMismatch):
    """A table, view or column must change, but objects that others built on it prevent that.

    Drop those, or let their owner do it, run the command or job again, and create them again.
    """

    code = "DF5204"


class RightMissing(StoreMismatch):
    """A role or a user lacks a right in a database that our user may not grant.

    Let the database's owner or a superuser grant it as the error says.
    """

    code = "DF5205"


@dataclass(frozen=True)
class RejectedKeys:
    """Why keys of a dataset were rejected, how many there are, and a limited sample of them."""

    dataset: str
    reason: str  # `duplicate` or `null`; of valid times `missing`, `infinite`, `future` or `backwards`
    number: int
    sample: tuple[tuple[dict[str, Any], int], ...]  # a key, and how many rows have it


class KeysRejected(StreamFactoryError):
    """Rows of the source have a NULL in their key, or the same key as another row.

    Correct them in the source; the error has a query that finds them. A sample is stored in the table of rejected
    keys.
    """

    code = "DF5108"

    def __init__(self, where: str, what: str, todo: str, rejected: RejectedKeys) -> None:
        super().__init__(where, what, todo)
        self.rejected = rejected


class ValidTimesRejected(KeysRejected):
    """Rows of the source have no usable time in the column from which versions are valid (`valid_from` in the model).

    It is NULL, infinite, more than a minute in the future, or earlier than the key's last version has it. Correct the
    values in the source, or take `valid_from` out of the model; nothing was merged. A sample of the keys is stored in
    the table of rejected keys.
    """

    code = "DF5112"

    def __init__(self, where: str, column: str, found: Mapping[str, int], rejected: RejectedKeys) -> None:
        self.column, self.found = column, dict(found)  # rows, by what is wrong with them
        said = "; ".join(f"{number} row{'s' if number != 1 else ''} with {what}" for what, number in found.items())
        todo = (
            "Correct them in the source, or take valid_from out of the model; a time without a zone is one of UTC. "
            "The table of rejected keys has a sample; nothing was merged"
        )
        super().__init__(
            f"{where}: column {column}", f"versions are valid from it, and there are {said}", todo, rejected
        )


class MapWrong(StreamFactoryError):
    """A row map does not describe the source's rows, so the batch is not reliable.

    Nothing by hand: the next batch compares every row, and makes a new map.
    """

    code = "DF5206"
    retryable = True

    def __init__(
        self, where: str, what: str, dataset: str, todo: str = "Try again: the next batch compares every row"
    ) -> None:
        super().__init__(where, what, todo)
        self.dataset = dataset


class TooManyDeletes(StreamFactoryError):
    """More rows are gone from the source than max_delete_fraction allows, which is rarely intended.

    Check the source. If it is intended, approve these deletes: on the stream's page, in the run of the operations DAG
    that asks for it, or with dagfactory runs approve-delete. The next run then goes on.
    """

    code = "DF5109"

    def __init__(self, where: str, dataset: str, gone: int, before: int, allowed: float, approved: int = 0) -> None:
        self.dataset, self.gone, self.before, self.allowed, self.approved = dataset, gone, before, allowed, approved
        what = f"{gone} of {before} rows are gone from the source, more than max_delete_fraction {allowed:g} allows"
        if approved:
            what += f", and more than the {approved} that were approved"
        todo = (
            "Check the source; if it is meant, approve it: on the stream's page, or with dagfactory runs approve-delete"
        )
        super().__init__(where, what, todo)


class QualityFailed(StreamFactoryError):
    """Rows of the batch break a quality check of severity fail.

    Correct the rows in the source, or the check in the model; nothing was merged.
    """

    code = "DF5110"

    def __init__(
        self, where: str, what: str, todo: str, found: dict[str, tuple[QualityResult, ...]], data: dict[str, Any]
    ) -> None:
        super().__init__(where, what, todo)
        self.found = found  # every check of the batch, by dataset
        self.data = data  # values and keys, for those who may see data


class TablesHeld(StreamFactoryError):
    """Other sessions hold locks on tables that the batch must drop or alter.

    Wait until these sessions end, or end them; then run the job again.
    """

    code = "DF5208"
    retryable = True

    def __init__(self, where: str, tables: Sequence[str], what: str, todo: str) -> None:
        super().__init__(where, what, todo)
        self.tables = tuple(tables)


class StreamBusy(StreamFactoryError):
    """Another job is running on the stream.

    Wait for that run to end, or give --lock-wait.
    """

    code = "DF5209"
    retryable = True

    def __init__(self, where: str, holder: str = "") -> None:
        self.holder = holder  # its pid and session, where that is known
        what = f"the stream is held by {holder}" if holder else "a job is running on the stream"
        todo = "Wait for that run to end, or give --lock-wait" if holder else "Do it again when that has ended"
        super().__init__(where, what, todo)


class BatchLost(StreamFactoryError):
    """The batch, or the lock on its stream, does not belong to this job any more: nothing of it is committed.

    Run it again. If it happens again, connect to the server itself, not through a proxy that pools transactions.
    """

    code = "DF5210"
    retryable = True


class Ended(StreamFactoryError):
    """A signal asked the job to end.

    Run it again: it continues after the last committed batch.
    """

    code = "DF5211"
    retryable = True

    def __init__(self, signal: str) -> None:
        self.signal = signal
        todo = "Run it again: it goes on after the last committed batch"
        super().__init__("merge-job", f"ended by {signal}", todo)


def values_rejected(
    where: str, dataset: Dataset, misfits: Mapping[tuple[str, Reason], int | None], sqlstate: str | None = None
) -> ValuesRejected:
    """Return the error for the misfits, counted by column and reason."""
    found = [RejectedValues(column, of.what, of.todo, rows) for (column, of), rows in misfits.items()]
    return ValuesRejected(where, dataset, found, sqlstate)
