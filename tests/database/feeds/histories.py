"""Random histories of a producer whose log is followed, with everything that may happen to it between two batches."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack, closing
from typing import Any

import psycopg2
import pytest

from config_schema.model import Milestoning
from merge_jobs.run import job
from merge_jobs.run.feed import StreamFeed
from merge_jobs.sources.postgres.change_feed import FeedSession

TABLES = """
CREATE TABLE t (id int, part text, word text, amount numeric, PRIMARY KEY (id, part));
CREATE TABLE u (id text COLLATE "C" PRIMARY KEY, word text, n int); ALTER TABLE u REPLICA IDENTITY FULL;
CREATE TABLE w (n numeric PRIMARY KEY, word text, other int NOT NULL, UNIQUE (other, n));
CREATE TABLE unpublished (id serial, word text)
"""
PUBLICATION = "CREATE PUBLICATION changes FOR TABLE t, u, w"
LONG = "repeat(md5(random()::text), 300)"  # stored out of line, and not sent again if it is as it was
# What a producer's people do, by how often.
STEPS = Counter(
    {
        "insert": 12,
        "update": 12,
        "delete": 7,
        "move": 5,
        "same": 3,
        "long": 3,
        "back": 3,
        "subtransactions": 4,
        "open": 4,
        "end": 6,
        "prepare": 3,
        "end_prepared": 4,
        "other": 4,
        "message": 1,
        "truncate": 1,
        "rewrite": 1,
        "vacuum": 1,
        "publish": 2,
        "identity": 2,
        "slot": 2,
        "widen": 1,
        "many": 1,
    }
)
KILLED_AFTER: list[tuple[Any, str]] = [
    *((job, name) for name in ("ingest", "merge_datasets", "write_result", "_commit")),
    *((FeedSession, name) for name in ("look", "decode", "advance")),
    (StreamFeed, "committed"),
]
SLOW = 2  # sessions with transactions that stay open across batches, each with keys of its own


class Killed(BaseException):
    """As by kill -9: nothing in the job tidies up after it."""


class History:
    """A random history of a case; `happened` counts what it has had."""

    def __init__(self, case: Any, seed: int) -> None:
        self.case, self.random, self.happened = case, random.Random(seed), Counter[str]()
        self.stack = ExitStack()
        self.quick = self._session()
        self.quick.autocommit = True
        self.slow = [self._session() for _ in range(SLOW)]
        self.is_open = [False] * SLOW
        self.prepared: list[str] = []
        self.numbers = iter(range(10**6))

    def _session(self) -> Any:
        session = self.stack.enter_context(closing(self.case.source.connect()))
        with session.cursor() as cursor:
            cursor.execute("SET lock_timeout = '20ms'")
        session.commit()
        return session

    def close(self) -> None:
        for name in self.prepared:
            self._quickly(f"ROLLBACK PREPARED '{name}'")
        self.stack.close()

    # --- what the producer does

    def round(self) -> None:
        for _ in range(self.random.randrange(7)):
            (step,) = self.random.choices([*STEPS], [*STEPS.values()])
            self.happened[step] += 1
            getattr(self, f"_{step}")()

    def _quickly(self, statement: str, values: Any = None) -> None:
        """Run a statement; what is locked, or refused for want of a replica identity, does not happen."""
        with self.quick.cursor() as cursor:
            if self.random.random() < 0.5:
                cursor.execute("SET synchronous_commit = off")
            try:
                cursor.execute(statement, values)
            except (psycopg2.errors.LockNotAvailable, psycopg2.errors.UniqueViolation):
                self.happened["refused"] += 1
            except (psycopg2.errors.ObjectNotInPrerequisiteState, psycopg2.errors.InvalidColumnReference):
                self.happened["refused"] += 1
            cursor.execute("SET synchronous_commit = on")

    def _change(self, keys: int) -> tuple[str, tuple[Any, ...]]:
        """Return a statement about keys that no other open transaction has: those of number `keys`."""
        pick, base = self.random, keys * 100
        number, word = base + pick.randrange(1, 6), pick.choice([None, "", "x", "X", "\\N", "ä\t\n"])
        part = pick.choice(["", "a", "ä\n\\", '"', "{,}"])
        amount = pick.choice([None, "1.0", "1.00", "NaN"])
        match pick.randrange(8):
            case 0 | 1:
                insert = (
                    "INSERT INTO t VALUES (%s, %s, %s, %s) ON CONFLICT (id, part) DO UPDATE SET word = excluded.word"
                )
                return insert, (number, part, word, amount)
            case 2:
                return "UPDATE t SET word = %s, amount = %s WHERE id = %s", (word, amount, number)
            case 3:
                return "DELETE FROM t WHERE id = %s AND part = %s", (number, part)
            case 4:
                insert = "INSERT INTO u VALUES (%s, %s, %s) ON CONFLICT (id) DO UPDATE SET n = excluded.n"
                return insert, (f"{part}{number}", word, number)
            case 5:
                return "DELETE FROM u WHERE id = %s", (f"{part}{number}",)
            case 6:
                insert = "INSERT INTO w VALUES (%s, %s, %s) ON CONFLICT (n) DO UPDATE SET n = excluded.n"
                return insert, (pick.choice([f"{number}", f"{number}.50"]), word, number)
            case _:
                return "DELETE FROM w WHERE n = %s", (number,)

    def _insert(self) -> None:
        self._quickly(*self._change(0))

    _update = _delete = _insert

    def _move(self) -> None:
        a, b = (self.random.randrange(1, 6) for _ in range(2))
        self._quickly("UPDATE t SET id = %s WHERE id = %s AND part = 'a'", (a, b))
        self._quickly("UPDATE u SET id = id || 'm' WHERE n = %s AND length(id) < 9", (a,))

    def _same(self) -> None:
        self._quickly("UPDATE t SET word = word WHERE id < 3")

    def _long(self) -> None:
        self._quickly(f"UPDATE u SET word = {LONG} WHERE n < 3")
        self._quickly("UPDATE u SET n = n + 1 WHERE n < 6")

    def _back(self) -> None:
        """A row that comes and goes, or goes and comes, between two batches."""
        number = self.random.randrange(1, 6)
        self._quickly("DELETE FROM t WHERE id = %s", (number,))
        self._quickly("INSERT INTO t VALUES (%s, 'a', 'back', 1), (%s, 'gone', '', 1)", (number, number))
        self._quickly("DELETE FROM t WHERE part = 'gone'")

    def _many(self) -> None:
        self._quickly("INSERT INTO w SELECT n + 0.25, 'many', n FROM generate_series(1, 60) n ON CONFLICT DO NOTHING")
        self._quickly("DELETE FROM w WHERE word = 'many' AND other % 2 = 0")

    def _subtransactions(self) -> None:
        session = self._session()
        with session.cursor() as cursor:
            try:
                for _ in range(3):
                    cursor.execute("SAVEPOINT s")
                    cursor.execute(*self._change(0))
                    if self.random.random() < 0.4:
                        cursor.execute("ROLLBACK TO SAVEPOINT s")
                (session.commit if self.random.random() < 0.7 else session.rollback)()
            except psycopg2.Error:
                session.rollback()
        session.close()

    def _open(self) -> None:
        number = self.random.randrange(SLOW)
        with self.slow[number].cursor() as cursor:
            try:
                cursor.execute(*self._change(1 + number))
                self.is_open[number] = True
            except psycopg2.Error:
                self.slow[number].rollback()
                self.is_open[number] = False

    def _end(self) -> None:
        number = self.random.randrange(SLOW)
        (self.slow[number].commit if self.random.random() < 0.7 else self.slow[number].rollback)()
        self.is_open[number] = False

    def _prepare(self) -> None:
        if len(self.prepared) >= 2:
            return
        name, session = f"p{self.random.randrange(10**9)}", self._session()
        # Keys of its own: it holds them until it ends.
        free = [keys for keys in (1, 2) if not any(one.endswith(f"k{keys}") for one in self.prepared)]
        name = f"{name}k{free[0]}"
        with session.cursor() as cursor:
            try:
                cursor.execute(*self._change(SLOW + free[0]))
                cursor.execute(f"PREPARE TRANSACTION '{name}'")
                self.prepared.append(name)
            except psycopg2.Error:
                session.rollback()
        session.close()

    def _end_prepared(self) -> None:
        if self.prepared:
            how = self.random.choice(["COMMIT", "COMMIT", "ROLLBACK"])
            self._quickly(f"{how} PREPARED '{self.prepared.pop()}'")

    def _other(self) -> None:
        self._quickly("INSERT INTO unpublished (word) SELECT 'x' FROM generate_series(1, 20)")

    def _message(self) -> None:
        self._quickly("SELECT pg_logical_emit_message(true, 'somebody', 'says')")

    def _truncate(self) -> None:
        self._quickly(f"TRUNCATE {self.random.choice('tuw')}")

    def _rewrite(self) -> None:
        table = self.random.choice("tuw")
        self._quickly(
            self.random.choice([f"VACUUM FULL {table}", f"ALTER TABLE {table} ALTER word TYPE text USING word || ''"])
        )

    def _vacuum(self) -> None:
        self._quickly("VACUUM t, u, w")

    def _widen(self) -> None:
        self._quickly(
            f"ALTER TABLE t ADD COLUMN more_{next(self.numbers)}_{self.random.randrange(10**9)} int DEFAULT 7"
        )

    def _publish(self) -> None:
        changes = [
            "ALTER PUBLICATION changes DROP TABLE t",
            "ALTER PUBLICATION changes SET TABLE t, u, w",
            "ALTER PUBLICATION changes SET TABLE t WHERE (id > 2), u, w",
            "ALTER PUBLICATION changes SET TABLE t (id, part), u, w",
            "ALTER PUBLICATION changes SET (publish = 'insert')",
            "ALTER PUBLICATION changes SET (publish = 'insert, update, delete, truncate')",
            "ALTER PUBLICATION changes SET (publish = 'insert, update, delete')",
        ]
        self._quickly(self.random.choice(changes))
        if self.random.random() < 0.6:  # something happens that is not said of, and then all is as it was
            self._quickly(*self._change(0))
            self._quickly("ALTER PUBLICATION changes SET TABLE t, u, w")
            self._quickly("ALTER PUBLICATION changes SET (publish = 'insert, update, delete, truncate')")

    def _identity(self) -> None:
        self._quickly(
            self.random.choice(
                [
                    "ALTER TABLE t REPLICA IDENTITY FULL",
                    "ALTER TABLE t REPLICA IDENTITY NOTHING",
                    "ALTER TABLE u REPLICA IDENTITY DEFAULT",
                    "ALTER TABLE w REPLICA IDENTITY USING INDEX w_other_n_key",
                ]
            )
        )
        if self.random.random() < 0.6:
            self._quickly(*self._change(0))
            self._quickly("ALTER TABLE t REPLICA IDENTITY DEFAULT; ALTER TABLE w REPLICA IDENTITY DEFAULT")

    def _slot(self) -> None:
        slot = self.case.slot(self.random.choice(list(Milestoning)))
        advance = f"SELECT pg_replication_slot_advance('{slot}', pg_current_wal_lsn())"
        drop = f"SELECT pg_drop_replication_slot('{slot}')"
        create = f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"
        there = self.case.at_server(f"SELECT 1 FROM pg_replication_slots WHERE slot_name = '{slot}'")
        # A slot is made once no transaction runs that ran when it was asked for.
        may_make = not any(self.is_open) and not self.prepared
        if not there:
            if may_make:
                self.case.at_server(create)
            return
        match self.random.randrange(3):
            case 0:
                self.case.at_server(advance)
            case 1:
                self.case.at_server(drop)
            case _ if may_make:
                self.case.at_server(drop)
                self._quickly(*self._change(0))
                self.case.at_server(create)

    # --- batches

    def run(self, seed: int) -> Counter[str]:
        """Run a few rounds, each with a batch of both platforms; return what happened."""
        for number in range(self.random.randrange(2, 7)):
            self.round()
            for kind in Milestoning:
                self.batch(kind, f"seed-{seed}-round-{number}")
        return self.happened

    def batch(self, kind: Milestoning, run_id: str) -> None:
        """Run a batch, which may be killed before, and hold what it did against the truth and the laws."""
        case = self.case
        before = {dataset.name: case.versions(kind, dataset) for dataset in case.datasets}
        last = case.current_batch(kind)
        truth = {dataset.name: case.source_rows(dataset) for dataset in case.datasets}
        kills = 0
        while self.random.random() < 0.35:
            kills += 1
            self._kill(kind, run_id)
        self.happened["killed"] += kills
        result = case.run(kind, run_id, lock_wait=10)
        for one in result.datasets.values():
            self.happened[f"by {one.strategy}"] += 1
            if "not used" in one.reason:
                self.happened[one.reason] += 1
        case.check_result(kind, result, before, truth, last)
        # The session of a killed job may still read what it staged.
        if not self.happened["killed"] and self.random.random() < 0.5:
            case.check_that_a_second_run_changes_nothing(kind)

    def _kill(self, kind: Milestoning, run_id: str) -> None:
        of, name = self.random.choice(KILLED_AFTER)
        done = getattr(of, name)

        def then_killed(*arguments: Any, **more: Any) -> None:
            done(*arguments, **more)
            raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(of, name, then_killed)
            try:
                self.case.run(kind, run_id, lock_wait=10)
            except Killed:
                return


def begin_anew(case: Any) -> None:
    """Let the source be empty, and the merge store too; the slots stay, where they are there."""
    case.execute("TRUNCATE t, u, w")
    drop = "DO $$ BEGIN EXECUTE (SELECT coalesce('DROP TABLE ' || string_agg(c.oid::regclass::text, ', '), 'SELECT 1') "
    tables = "FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'); END $$"
    case.execute(drop + tables, on=case.target)
    case.execute("ALTER TABLE t REPLICA IDENTITY DEFAULT; ALTER TABLE w REPLICA IDENTITY DEFAULT")
    case.execute("ALTER PUBLICATION changes SET TABLE t, u, w")
    case.execute("ALTER PUBLICATION changes SET (publish = 'insert, update, delete, truncate')")
    case.drop_slots()
    case.create_slots()


def follow(case: Any, seed: int) -> Counter[str]:
    """Run a history; return what happened in it."""
    begin_anew(case)
    history = History(case, seed)
    try:
        with pytest.MonkeyPatch.context() as patch:
            # Of transactions that stay open for long it need not wait that long.
            patch.setattr("merge_jobs.sources.postgres.change_feed.SETTLE_SECONDS", 0.01)
            return history.run(seed)
    finally:
        history.close()
