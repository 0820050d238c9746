"""The versions of a platform's tables: which migrations exist, and which of them a database has. Pure.

A migration is a file of migrations/, `0003_results_index.sql`. Its first two lines name the part that it changes
(`part`), and say whether programs that do not know it may work on the tables (`older programs: go on`, or `stop`). It
is never changed after its release, and does no harm to tables that have it already: if a table is lost, all migrations
run again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from pathlib import Path
from typing import assert_never

from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.sql.statements import Statement

FOLDER = Path(__file__).with_name("migrations")
FILE = re.compile(r"(\d{4})_(\w+)\.sql")
HEAD = re.compile(r"-- part: (streams|batches)\n-- older programs: (go on|stop)\n")


class Part(Enum):
    """Tables that are created and changed together, by their owner."""

    STREAMS = "streams"  # made by sync: rows, their history, the model
    BATCHES = "batches"  # made by the first job: batches and row maps


class State(Enum):
    """How the version of tables compares with the version that a program wants."""

    ABSENT = "not made"
    CURRENT = "current"
    OLD = "old"
    NEWER = "newer"  # changed by a newer program, and this one may work on them
    TOO_NEW = "too new"
    CHANGED = "changed"  # a migration was another one when it was run


@dataclass(frozen=True)
class Migration:
    """A change of a part's tables. `older_may_run`: programs that do not know it may work on the changed tables."""

    number: int
    name: str
    part: Part
    older_may_run: bool
    statement: Statement

    @cached_property
    def checksum(self) -> str:
        """The SHA-256 of its SQL, without its comments and layout."""
        lines = (line.partition("--")[0] for line in self.statement.text.splitlines())
        return hashlib.sha256(" ".join(" ".join(lines).split()).encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.number:04} {self.name}"


@dataclass(frozen=True)
class AppliedMigration:
    """A migration that a database has recorded; a newer program may have run it."""

    number: int
    name: str
    checksum: str
    older_may_run: bool

    def __str__(self) -> str:
        return f"{self.number:04} {self.name}"


class TablesTooOld(StreamFactoryError):
    """The tables of a platform lack migrations, and this login may not run them.

    Run dagfactory db upgrade with the login that owns the tables and may create tables in their schema.
    """

    code = "DF1201"

    def __init__(self, where: str, tables_version: TablesVersion, said: str) -> None:
        self.tables_version = tables_version
        what = f"{tables_version}, and this login may not change that ({said})"
        todo = (
            "Run dagfactory db upgrade with the login that owns the tables and may create tables in their schema; "
            "dagfactory bootstrap --roles, with the same login, gives each component what it needs"
        )
        super().__init__(where, what, todo)


class TablesTooNew(StreamFactoryError):
    """A newer program has changed the platform's tables in a way that this program would damage.

    Use the version of plugin and image that changed them, or a newer one.
    """

    code = "DF1202"

    def __init__(self, where: str, tables_version: TablesVersion) -> None:
        self.tables_version = tables_version
        super().__init__(
            where, str(tables_version), "Use the version of plugin and image that changed them, or a newer one"
        )


class TablesOfAnother(StreamFactoryError):
    """A table of the platform belongs to another role than the one that works on it as its owner.

    The owner of a table can run code as those who write to it. If the role is yours, make it the login's own, or
    make the login a member of it; otherwise drop the table, and revoke CREATE on the schema from that role.
    """

    code = "DF1203"

    def __init__(self, where: str, tables: Sequence[str]) -> None:
        self.tables = tuple(tables)
        todo = (
            "If you know its owner, run ALTER TABLE ... OWNER TO this login, or make the login a member of that role; "
            "if not, look at the table's triggers, drop it, and take CREATE on the schema from that role"
        )
        what = "they belong" if len(self.tables) > 1 else "it belongs"
        super().__init__(f"{where}: table {', '.join(self.tables)}", f"{what} to another role than this login", todo)


@dataclass(frozen=True)
class TablesVersion:
    """The version of a part's tables in a database: existing tables, and migrations in order of their numbers."""

    part: Part
    tables: tuple[str, ...]
    applied: tuple[AppliedMigration, ...]
    wanted_tables: tuple[str, ...]
    wanted: tuple[Migration, ...]
    of_others: tuple[str, ...] = ()  # which the login, if it makes tables, neither owns nor owns through a role

    @property
    def version(self) -> int:
        """The number of its last migration; 0 if none is recorded, because older programs recorded none."""
        return max((one.number for one in self.applied), default=0)

    @property
    def wanted_version(self) -> int:
        """The number of the last migration that this program knows."""
        return max(one.number for one in self.wanted)

    @property
    def lost(self) -> tuple[str, ...]:
        """The tables that do not exist."""
        return tuple(table for table in self.wanted_tables if table not in self.tables)

    @property
    def missing(self) -> tuple[Migration, ...]:
        """The migrations that it lacks."""
        known = {one.number for one in self.applied}
        return tuple(one for one in self.wanted if one.number not in known)

    @property
    def needed(self) -> tuple[Migration, ...]:
        """The migrations to run: those that it lacks, or all of them if a table was lost."""
        return self.wanted if self.lost else self.missing

    @property
    def newer(self) -> tuple[AppliedMigration, ...]:
        """The migrations that this program does not know."""
        known = {one.number for one in self.wanted}
        return tuple(one for one in self.applied if one.number not in known)

    @property
    def stopping(self) -> tuple[AppliedMigration, ...]:
        """The newer migrations after which this program must not work on the tables."""
        return tuple(one for one in self.newer if not one.older_may_run)

    @property
    def changed(self) -> tuple[AppliedMigration, ...]:
        """The migrations that were different when they were run."""
        checksums = {one.number: one.checksum for one in self.wanted}
        return tuple(one for one in self.applied if checksums.get(one.number, one.checksum) != one.checksum)

    def check(self, where: str) -> None:
        """Raise TablesTooNew unless this program may work on the tables."""
        if self.stopping:
            raise TablesTooNew(where, self)

    def check_owner(self, where: str) -> None:
        """Raise TablesOfAnother unless the login owns all tables; the stream table may be one made elsewhere."""
        if others := [one for one in self.of_others if one != self.wanted_tables[0] or self.part is Part.BATCHES]:
            raise TablesOfAnother(where, others)

    @property
    def state(self) -> State:
        """The state that follows from all this."""
        if not self.tables:
            return State.ABSENT
        if self.stopping:
            return State.TOO_NEW
        if self.needed:
            return State.OLD
        if self.changed:
            return State.CHANGED
        return State.NEWER if self.newer else State.CURRENT

    def __str__(self) -> str:
        said = (
            f"version {self.version} of the tables of {self.part.value}, and this program wants {self.wanted_version}"
        )
        match self.state:
            case State.ABSENT:
                return f"the tables of {self.part.value} are not made yet"
            case State.TOO_NEW:
                return f"{said}: {_listed(self.stopping)} is not for programs that do not know it"
            case State.OLD if self.missing:
                return f"{said}: {_listed(self.missing)} is missing"
            case State.OLD:
                return f"{said}: {', '.join(self.lost)} is missing"
            case State.CHANGED:
                return f"{said}: {_listed(self.changed)} was another one when it was run"
            case State.NEWER:
                return f"{said}, which may work on newer ones"
            case State.CURRENT:
                return f"version {self.version} of the tables of {self.part.value}, up to date"
        assert_never(self.state)


def _listed(these: Iterable[Migration | AppliedMigration]) -> str:
    return ", ".join(map(str, these))


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all migrations by their numbers. Raises ValueError for an invalid file, or a number given twice."""
    return read_migrations(FOLDER)


def read_migrations(folder: Path) -> tuple[Migration, ...]:
    """Return the migrations of a folder by their numbers. Raises ValueError as above."""
    found = [_read(path) for path in sorted(folder.glob("*.sql"))]
    for number, one in enumerate(found, 1):
        if one.number != number:
            raise ValueError(f"{one.statement.file}: the next migration has the number {number:04}")
    return tuple(found)


def _read(path: Path) -> Migration:
    text = path.read_text("utf-8")
    named, head = FILE.fullmatch(path.name), HEAD.match(text)
    if named is None or head is None:
        raise ValueError(f"{path.name}: a migration is 0001_name.sql, with the lines `part` and `older programs` first")
    statement = Statement(path.name, named[2], text.strip().removesuffix(";"))
    return Migration(int(named[1]), named[2], Part(head[1]), head[2] == "go on", statement)


def of_part(part: Part) -> tuple[Migration, ...]:
    """Return the migrations of a part."""
    return tuple(one for one in migrations() if one.part is part)


def tables(platform: str, part: Part) -> tuple[str, ...]:
    """Return the tables of a part of a platform."""
    made = {
        Part.STREAMS: (
            *("stream_table", "history_table", "model_state_table"),
            *("compiled_model_table", "revision_table", "job_model_table", "stream_alerts"),
        ),
        Part.BATCHES: (
            *("counter", "metrics", "rejected", "row_maps", "run_results", "progress", "source_checks"),
            *("erased_keys", "erasure_salt", "files_read"),
        ),
    }
    every = identifiers(platform, "")
    return tuple(every[one] for one in made[part])


def identifiers(platform: str, schema: str) -> Mapping[str, str]:
    """Return the identifiers that the placeholders in migrations stand for, for a platform."""
    return {
        "schema": schema,
        "versions": names.schema_version_table(platform),
        "stream_table": names.stream_table(platform),
        "history_table": names.stream_history_table(platform),
        "history_index": names.stream_history_index(platform),
        "model_state_table": names.model_state_table(platform),
        "compiled_model_table": names.compiled_model_table(platform),
        "job_model_table": names.job_model_table(platform),
        "stream_alerts": names.stream_alerts_table(platform),
        "revision_table": names.stream_revision_table(platform),
        "revision_index": names.stream_revision_index(platform),
        "revision_trigger": names.stream_revision_trigger(platform),
        "counter": names.batch_counter_table(platform),
        "metrics": names.batch_metrics_table(platform),
        "run_index": names.batch_run_index(platform),
        "old_results_index": names.old_batch_results_index(platform),
        "results_index": names.batch_results_index(platform),
        "rejected": names.rejected_keys_table(platform),
        "row_maps": names.row_maps_table(platform),
        "erased_keys": names.erased_keys_table(platform),
        "erasure_salt": names.erasure_salt_table(platform),
        "files_read": names.files_read_table(platform),
        "run_results": names.run_results_table(platform),
        "run_results_ended_index": names.run_results_ended_index(platform),
        "run_results_kept_index": names.run_results_kept_index(platform),
        "progress": names.progress_table(platform),
        "source_checks": names.source_checks_table(platform),
        "source_errors_index": names.source_errors_index(platform),
    }


def tables_version_of(
    platform: str, part: Part, there: Sequence[str], applied: Sequence[Sequence[object]], of_others: Sequence[str]
) -> TablesVersion:
    """Return the version of tables from rows of the statement `applied` and the tables of other owners."""
    wanted_tables = tables(platform, part)
    recorded = tuple(
        AppliedMigration(int(str(number)), str(name), str(checksum), bool(older))
        for number, name, checksum, older in applied
    )
    present = tuple(one for one in wanted_tables if one in there)
    return TablesVersion(part, present, recorded, wanted_tables, of_part(part), tuple(sorted(of_others)))
