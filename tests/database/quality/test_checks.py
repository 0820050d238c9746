"""What each kind of check counts: all rows of a first load, then just what each batch brings, live and forensic."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from config_schema import names
from config_schema.model import Milestoning
from config_schema.model.quality import (
    NotNull,
    Pattern,
    Range,
    Reference,
    RowCount,
    Severity,
    Unique,
)
from merge_jobs.errors import QualityFailed
from merge_jobs.run.job import run
from tests.database.conftest import PLATFORMS, STORE

WARN = Severity.WARN
PEOPLE = """
    CREATE TABLE people (id int PRIMARY KEY, email text, phone text, born date, age numeric);
    INSERT INTO people VALUES
        (1, 'a@x', '1', '1990-01-01', 30), (2, 'b@x', NULL, '1980-01-01', 40), (3, NULL, NULL, NULL, NULL),
        (4, 'a@x', '4', '1890-01-01', -1), (5, 'nothing', '5', '2190-01-01', 'NaN')
"""
# A check, how many rows break it in the first load, and then in each round: a statement, and how many it brings.
CASES = {
    "not null, one column": (
        NotNull("c", WARN, ("email",)),
        1,
        ("UPDATE people SET age = 1 WHERE id = 1", 0),
        ("UPDATE people SET age = 1 WHERE id = 3", 1),
        ("UPDATE people SET email = NULL WHERE id IN (1, 2); INSERT INTO people VALUES (6)", 3),
        ("DELETE FROM people WHERE id = 6", 0),
    ),
    "not null, several columns": (
        NotNull("c", WARN, ("email", "phone")),
        2,
        ("UPDATE people SET phone = '2' WHERE id = 2; UPDATE people SET phone = '3' WHERE id = 3", 1),
    ),
    "a range of dates": (
        Range("c", WARN, "born", "1900-01-01", "2100-12-31"),
        2,
        ("UPDATE people SET born = '1900-01-01' WHERE id = 4; UPDATE people SET born = '2100-12-31' WHERE id = 5", 0),
        ("UPDATE people SET born = 'infinity' WHERE id = 1; UPDATE people SET born = '-infinity' WHERE id = 2", 2),
    ),
    "a least number": (
        Range("c", WARN, "age", min=0),
        1,
        ("UPDATE people SET age = -0.1 WHERE id = 1; UPDATE people SET age = 0 WHERE id = 4", 1),
    ),
    "a greatest number, which NaN is above": (
        Range("c", WARN, "age", max=30.5),
        2,
        ("UPDATE people SET age = 30.5 WHERE id IN (2, 5)", 0),
        ("UPDATE people SET age = 30.51 WHERE id = 1", 1),
    ),
    "a pattern": (
        Pattern("c", WARN, "email", "^[^@]+@[^@]+$"),
        1,
        ("UPDATE people SET email = 'x@' WHERE id = 1; UPDATE people SET email = NULL WHERE id = 5", 1),
    ),
    "a pattern of a value that is no text": (
        Pattern("c", WARN, "born", "^1[0-9]{3}-"),
        1,
        ("UPDATE people SET born = '2001-01-01' WHERE id = 1", 1),
    ),
    "unique, over rows that the batch does not bring": (
        Unique("c", WARN, ("email",)),
        2,
        ("UPDATE people SET age = 1 WHERE id = 2", 0),
        ("UPDATE people SET age = 1 WHERE id = 1", 2),
        ("INSERT INTO people VALUES (6, 'a@x'), (7, 'b@x'), (8, NULL)", 5),
        ("DELETE FROM people WHERE id IN (4, 6); UPDATE people SET age = 2 WHERE id = 1", 0),
    ),
    "unique, with values that change places": (
        Unique("c", WARN, ("phone",)),
        0,
        ("UPDATE people SET phone = CASE id WHEN 1 THEN '4' ELSE '1' END WHERE id IN (1, 4)", 0),
        ("DELETE FROM people WHERE id = 1; UPDATE people SET phone = '4' WHERE id = 2", 0),
    ),
    "unique, several columns": (
        Unique("c", WARN, ("email", "phone")),
        0,
        ("UPDATE people SET phone = '1' WHERE id = 4", 2),
        ("UPDATE people SET phone = NULL WHERE id IN (1, 4)", 0),
    ),
    "rows of the source": (
        RowCount("c", WARN, 5, 5),
        0,
        ("UPDATE people SET age = 1", 0),
        ("INSERT INTO people VALUES (6)", 1),
        ("DELETE FROM people WHERE id = 6", 0),
        ("DELETE FROM people WHERE id = 5", 1),
    ),
    "not fewer rows": (RowCount("c", WARN, min=6), 1, ("INSERT INTO people VALUES (6)", 0)),
    "not more rows": (RowCount("c", WARN, max=5), 0, ("INSERT INTO people VALUES (6)", 1)),
}


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("of_kind", CASES.values(), ids=CASES.keys())
def test_a_check_counts_the_rows_that_a_batch_brings(checked, violations_of, of_kind, kind):
    check, at_first, *rounds = of_kind
    case = checked(PEOPLE, people=(check,))
    assert violations_of(case.merge(kind), "people") == {"c": at_first}
    for statements, brought in rounds:
        case.execute(statements)
        assert violations_of(case.merge(kind), "people") == {"c": brought}, statements


# Applied in the order of their names: the child once before and once after its parent.
@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize(("child", "parent"), [("a", "b"), ("b", "a")])
def test_a_reference_sees_the_other_dataset_as_the_batch_leaves_it(checked, violations_of, child, parent, kind):
    case = checked(
        f"""CREATE TABLE {parent} (id int PRIMARY KEY, v int); CREATE TABLE {child} (id int PRIMARY KEY, p int, v int);
            INSERT INTO {parent} SELECT n FROM generate_series(1, 9) n;
            INSERT INTO {child} VALUES (1, 1), (2, 2), (3, 77), (4, NULL)""",
        **{child: (Reference("c", WARN, ("p",), parent, ("id",)),)},
    )
    rounds = {
        "": 1,
        f"INSERT INTO {parent} VALUES (10); INSERT INTO {child} VALUES (10, 10)": 0,
        f"UPDATE {child} SET v = 1 WHERE id = 1": 0,
        f"UPDATE {child} SET v = 1 WHERE id = 3": 1,
        f"DELETE FROM {parent} WHERE id = 10": 1,  # the row that refers to it does not change
        f"DELETE FROM {parent} WHERE id = 9": 0,
        f"UPDATE {parent} SET id = 11 WHERE id = 1": 1,
        f"UPDATE {parent} SET v = 1": 0,
        f"UPDATE {child} SET p = NULL WHERE id = 1; DELETE FROM {parent} WHERE id = 2; DELETE FROM {child}": 0,
    }
    for statements, broken in rounds.items():
        if statements:
            case.execute(statements)
        result = case.merge(kind, max_delete_fraction=1.0)
        assert violations_of(result, child) == {"c": broken}, statements


@pytest.mark.parametrize("kind", Milestoning)
def test_a_reference_of_several_columns_to_others_than_the_key(checked, violations_of, kind):
    case = checked(
        """CREATE TABLE city (id int PRIMARY KEY, land varchar(2), zip varchar(9));
           CREATE TABLE person (id int PRIMARY KEY, l text, z text);
           INSERT INTO city VALUES (1, 'CH', '3000'), (2, 'CH', '4000'), (3, 'DE', '3000');
           INSERT INTO person VALUES (1, 'CH', '3000'), (2, 'DE', '4000'), (3, NULL, '1'), (4, 'XX', NULL)""",
        person=(Reference("c", WARN, ("l", "z"), "city", ("land", "zip")),),
    )
    assert violations_of(case.merge(kind), "person") == {"c": 1}
    case.execute("UPDATE city SET zip = '3001' WHERE id = 1")
    assert violations_of(case.merge(kind), "person") == {"c": 1}
    case.execute("UPDATE city SET zip = '3000' WHERE id = 2; UPDATE person SET z = '4000' WHERE id = 1")
    assert violations_of(case.merge(kind), "person") == {"c": 1}


@pytest.mark.parametrize("kind", Milestoning)
def test_a_reference_to_the_dataset_itself(checked, violations_of, kind):
    case = checked(
        """CREATE TABLE node (id int PRIMARY KEY, parent int);
           INSERT INTO node VALUES (1, NULL), (2, 1), (3, 2), (4, 9)""",
        node=(Reference("c", WARN, ("parent",), "node", ("id",)),),
    )
    assert violations_of(case.merge(kind), "node") == {"c": 1}
    case.execute("DELETE FROM node WHERE id = 2; INSERT INTO node VALUES (5, 5), (9, 1)")
    assert violations_of(case.merge(kind), "node") == {"c": 1}


@pytest.mark.parametrize("kind", Milestoning)
def test_a_dataset_that_comes_later_is_loaded_and_checked_in_whole(checked, give_checks, violations_of, kind):
    case = checked("CREATE TABLE a (id int PRIMARY KEY, b int); INSERT INTO a VALUES (1, 1), (2, 2), (3, NULL)")
    case.merge(kind)
    case.execute("CREATE TABLE b (id int PRIMARY KEY, a int); INSERT INTO b VALUES (1, 1), (2, 7)")
    case.describe()
    to = (Reference("to_b", WARN, ("b",), "b", ("id",)),)
    give_checks(case, a=to, b=(Reference("to_a", WARN, ("a",), "a", ("id",)),))
    case.execute("UPDATE a SET b = 8 WHERE id = 1")
    result = case.merge(kind)
    assert violations_of(result, "a") == {"to_b": 1}
    assert violations_of(result, "b") == {"to_a": 1}


@pytest.mark.parametrize("kind", Milestoning)
def test_a_column_new_in_the_model_is_checked_in_the_batch_that_brings_it(checked, give_checks, violations_of, kind):
    case = checked("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 5)")
    case.merge(kind)
    case.execute("ALTER TABLE t ADD v int; UPDATE t SET v = id WHERE id > 2")
    case.describe()
    give_checks(case, t=(Range("c", WARN, "v", max=3), NotNull("d", WARN, ("v",))))
    assert violations_of(case.merge(kind), "t") == {"c": 2, "d": 0}


@pytest.mark.parametrize("kind", Milestoning)
def test_names_that_need_quotes_are_checked(checked, violations_of, kind):
    strange = 'per%s "cent" x'
    case = checked(
        """CREATE TABLE "Order %" ("select" int PRIMARY KEY, "per%s ""cent"" x" text, "{m}" int);
           INSERT INTO "Order %" VALUES (1, 'a', 1), (2, NULL, 7), (3, 'a', NULL)""",
        **{
            "Order %": (
                NotNull("a", WARN, (strange,)),
                Unique("b", WARN, (strange,)),
                Range("c", WARN, strange, max="Z%"),
                Pattern("d", WARN, strange, "%s"),
                Reference("e", WARN, ("{m}",), "Order %", ("select",)),
            )
        },
    )
    assert violations_of(case.merge(kind), "Order %") == {"a": 1, "b": 2, "c": 2, "d": 2, "e": 1}
    case.execute('UPDATE "Order %" SET "{m}" = 8')
    assert violations_of(case.merge(kind), "Order %") == {"a": 1, "b": 2, "c": 2, "d": 2, "e": 3}


def test_each_check_has_its_line_in_the_log(checked, caplog):
    checks = (
        NotNull("email_is_set", WARN, ("email",)),
        Range("is_born", Severity.FAIL, "born", "1000-01-01"),
        RowCount("enough", WARN, 9),
        NotNull("phone_is_set", WARN, ("phone",)),
    )
    checked(PEOPLE, people=checks).run(Milestoning.LIVE)
    reported = [(r.levelno, r.getMessage()) for r in caplog.records if r.getMessage().startswith("quality")]
    assert reported == [
        (logging.WARNING, "quality: people: email_is_set (not_null) warn: 1 row"),
        (logging.INFO, "quality: people: is_born (range) fail: 0 rows"),
        (logging.WARNING, "quality: people: enough (row_count) warn: 5 rows in the source"),
        (logging.WARNING, "quality: people: phone_is_set (not_null) warn: 2 rows"),
    ]


def test_a_reference_to_a_dataset_that_is_not_merged_here_is_said_and_not_checked(checked, caplog):
    case = checked(
        "CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a VALUES (1, 1)",
        a=(Reference("to_b", Severity.FAIL, ("b",), "b", ("id",)), NotNull("set", WARN, ("b",))),
    )
    job = case.job(Milestoning.LIVE)
    result = run(replace(job, stream=replace(job.stream, datasets=job.stream.datasets[:1])))
    assert [one.check for one in result.datasets["a"].quality] == ["set"]
    assert "quality: a: to_b is not checked: b is not merged here" in caplog.text


JOINING = """
    CREATE TABLE child (id int PRIMARY KEY, p int); CREATE TABLE parent (id int PRIMARY KEY, other int);
    INSERT INTO child VALUES (1, 1), (2, 7), (3, NULL), (4, 8); INSERT INTO parent VALUES (1, 7), (2, NULL)
"""
TO_PARENT = Reference("c", WARN, ("p",), "parent", ("id",))


def without_parent(case, kind):
    """Run with the child alone, as on a platform whose consumers use no other dataset."""
    job = case.job(kind)
    return run(replace(job, stream=replace(job.stream, datasets=job.stream.datasets[:1])))


@pytest.mark.parametrize("kind", Milestoning)
def test_a_parent_loaded_later_shows_children_that_refer_to_nothing(checked, violations_of, kind):
    case = checked(JOINING, child=(TO_PARENT,))
    assert violations_of(without_parent(case, kind), "child") == {}
    assert violations_of(case.merge(kind), "child") == {"c": 2}
    assert violations_of(case.run(kind), "child") == {"c": 0}  # they are nobody's change any more


@pytest.mark.parametrize("kind", Milestoning)
def test_a_parent_loaded_later_fails_the_batch_where_the_check_says_so(checked, kind):
    case = checked(JOINING, child=(replace(TO_PARENT, severity=Severity.FAIL),))
    without_parent(case, kind)
    for _ in range(2):  # it does not pass because it was seen once
        with pytest.raises(QualityFailed, match=r"child: c \(reference\): 2 rows"):
            case.run(kind)
    case.execute("INSERT INTO parent VALUES (7), (8)")
    case.run(kind)


@pytest.mark.parametrize("kind", Milestoning)
def test_a_parent_that_comes_back_is_compared_with_children_merged_meanwhile(checked, violations_of, kind):
    case = checked(JOINING + "; DELETE FROM child WHERE id IN (2, 4)", child=(TO_PARENT,))
    case.merge(kind)
    case.execute("INSERT INTO child VALUES (5, 55)")
    without_parent(case, kind)
    assert violations_of(case.merge(kind), "child") == {"c": 1}


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("load", ["child", "parent"])
def test_a_side_whose_merge_table_is_loaded_anew_is_compared_in_whole(checked, violations_of, kind, load):
    case = checked(JOINING, child=(TO_PARENT,))
    case.merge(kind)
    table = names.merge_table(names.platform_name(PLATFORMS[kind]), STORE, load)
    case.execute(f'DROP TABLE "{table}" CASCADE', case.target)
    assert violations_of(case.run(kind), "child") == {"c": 2}


@pytest.mark.parametrize("kind", Milestoning)
def test_a_reference_that_the_model_defines_otherwise_looks_at_all_rows_once(checked, give_checks, violations_of, kind):
    case = checked(JOINING)
    case.merge(kind)
    for check, broken in ((TO_PARENT, 2), (replace(TO_PARENT, dataset_columns=("other",)), 2)):
        give_checks(case, child=(check,))
        assert violations_of(case.merge(kind), "child") == {"c": broken}
        assert violations_of(case.run(kind), "child") == {"c": 0}


@pytest.mark.parametrize("kind", Milestoning)
def test_what_an_older_job_did_not_write_down_is_looked_at_once_more(checked, violations_of, kind):
    case = checked(JOINING, child=(TO_PARENT,))
    case.merge(kind)
    counter = names.batch_counter_table(names.platform_name(PLATFORMS[kind]))
    case.execute(f"UPDATE {counter} SET last_result_json = last_result_json - 'references'", case.target)
    assert [violations_of(case.run(kind), "child")["c"] for _ in range(2)] == [2, 0]
