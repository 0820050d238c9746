"""Checks against a plain account of the truth: random batches on two datasets, counted in Python; and regular
expressions against what PostgreSQL makes of them."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

import psycopg2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from config_schema.model import Milestoning
from config_schema.model.quality import (
    AcceptedValues,
    Completeness,
    Distinctness,
    Expression,
    Reference,
    Severity,
    Statistic,
    StatisticBounds,
    Unique,
    Uniqueness,
)
from config_schema.rules.pg_regex import fault

DDL = """
    CREATE TABLE child (id int PRIMARY KEY, u int, p int, q int);
    CREATE TABLE parent (id int PRIMARY KEY, a int, b int)
"""
CHECKS = (
    Unique("once", Severity.WARN, ("u",)),
    Reference("there", Severity.WARN, ("p", "q"), "parent", ("a", "b")),
    AcceptedValues("accepted", Severity.WARN, "u", (1, "2")),
    Expression("smaller", Severity.WARN, "u < q OR p = 3"),
    Completeness("complete", Severity.WARN, ("p", "q"), min=0.5),
    Distinctness("distinct", Severity.WARN, ("u",), min=0.5),
    Uniqueness("unique", Severity.WARN, ("u",), min=0.5),
    StatisticBounds("mean", Severity.WARN, "u", Statistic.MEAN, 1.5, 2),
)
few = st.none() | st.integers(1, 3)
children = st.dictionaries(st.integers(1, 6), st.tuples(few, few, few), max_size=6)
parents = st.dictionaries(st.integers(1, 4), st.tuples(few, few), max_size=4)


def broken(before: dict, now: dict) -> dict[str, int]:
    """What a batch from `before` to `now` brings; the first has no before."""
    new = {key: row for key, row in now["child"].items() if before["child"].get(key) != row}
    used = Counter(row[0] for row in now["child"].values() if row[0] is not None)
    brought = {row[0] for row in new.values()}
    taken = {row for key, row in before["parent"].items() if now["parent"].get(key) != row}
    suspects = ({row[1:] for row in new.values()} | taken) - set(now["parent"].values())
    return {
        "once": sum(number for value, number in used.items() if number > 1 and value in brought),
        "there": sum(row[1:] in suspects and None not in row[1:] for row in now["child"].values()),
        "accepted": sum(row[0] == 3 for row in new.values()),
        "smaller": sum(is_smaller(*row) is False for row in new.values()),
        **measured(list(now["child"].values()), used),
    }


def is_smaller(u: int | None, p: int | None, q: int | None) -> bool | None:
    """u < q OR p = 3, as SQL has it with NULLs."""
    sides = (None if u is None or q is None else u < q, None if p is None else p == 3)
    return True if True in sides else None if None in sides else False


def measured(rows: list[tuple], used: Counter) -> dict[str, int]:
    """Which of the measured checks are out of bounds, of all rows as the batch leaves them."""
    number = sum(used.values())
    shares = {
        "complete": (sum(None not in row[1:] for row in rows), len(rows)),
        "distinct": (len(used), number),
        "unique": (sum(times == 1 for times in used.values()), number),
    }
    mean = sum(used.elements()) / number if number else None
    return {
        **{name: int(2 * part < whole) for name, (part, whole) in shares.items()},
        "mean": int(mean is not None and not 1.5 <= mean <= 2),
    }


def write(case, now: dict) -> None:
    with closing(case.source.connect()) as connection, connection, connection.cursor() as cursor:
        for table, rows in now.items():
            # Rows that stay are left alone, as another strategy than full would have to see it.
            cursor.execute(f"DELETE FROM {table} WHERE NOT (id = ANY(%s))", (list(rows),))
            for key, row in rows.items():
                names = ("u", "p", "q") if table == "child" else ("a", "b")
                sets = ", ".join(f"{name} = excluded.{name}" for name in names)
                cursor.execute(
                    f"""INSERT INTO {table} AS t VALUES (%s, {", ".join(["%s"] * len(row))})
                        ON CONFLICT (id) DO UPDATE SET {sets}
                        WHERE (t.*) IS DISTINCT FROM (excluded.*)""",
                    (key, *row),
                )


@pytest.mark.parametrize("kind", Milestoning)
def test_random_batches_break_just_what_is_counted_by_hand(checked, violations_of, kind):
    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.fixed_dictionaries({"child": children, "parent": parents}), min_size=1, max_size=5))
    def hold(rounds):
        case = checked(DDL, child=CHECKS)
        before = {"child": {}, "parent": {}}
        for now in rounds:
            write(case, now)
            assert violations_of(case.run(kind), "child") == broken(before, now)
            before = now

    hold()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.sampled_from("ab()[]{}*+?|^$\\,.-:=!<123") | st.characters(codec="utf-8", exclude_characters="\0")))
@example("a{1,2")
@example("a{256}")
@example("[a-\\d]")
@example("(?<a")
def test_what_is_called_a_faulty_expression_postgresql_refuses_too(expression_session, pattern):
    if fault(pattern) is not None:
        with expression_session.cursor() as cursor, pytest.raises(psycopg2.errors.InvalidRegularExpression):
            cursor.execute("SELECT '' ~ %s", (pattern,))


@pytest.fixture
def expression_session(new_database):
    with closing(new_database("expressions").connect()) as session:
        session.autocommit = True
        yield session
