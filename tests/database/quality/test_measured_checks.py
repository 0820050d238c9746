"""Checks that measure a value of a whole dataset, and keys of rows that break a check, live and forensic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config_schema import names
from config_schema.model import Classification, Milestoning
from config_schema.model.quality import (
    AcceptedValues,
    ChangeOfValue,
    Completeness,
    Distinctness,
    Expression,
    MaxAge,
    NotNull,
    Range,
    Reference,
    RowCount,
    Severity,
    Statistic,
    StatisticBounds,
    Unique,
    Uniqueness,
)
from merge_jobs.errors import QualityFailed
from merge_jobs.quality import measures
from merge_jobs.quality.violations import CheckImpossible
from tests.database.conftest import PLATFORMS

WARN, FAIL = Severity.WARN, Severity.FAIL
PEOPLE = """
    CREATE TABLE people (id int PRIMARY KEY, email text, city text, age numeric, seen timestamptz);
    INSERT INTO people VALUES
        (1, 'a@x', 'Bern', 30, now() - interval '1 hour'), (2, 'b@x', 'Bern', 40, NULL),
        (3, NULL, 'Rom', 50, '-infinity'),
        (4, 'a@x', 'Genf', 60, now() - interval '9 days')
"""


def measured(case, kind, dataset: str = "people") -> dict[str, tuple[float | None, int]]:
    """Each check's value and whether it is broken, of a run."""
    found = case.merge(kind, max_delete_fraction=1.0).datasets[dataset].quality
    return {one.check: (None if one.value is None else round(one.value, 6), one.violations) for one in found}


@pytest.mark.parametrize("kind", Milestoning)
def test_shares_of_rows_are_measured_over_the_whole_dataset_after_each_batch(checked, kind):
    case = checked(
        PEOPLE,
        people=(
            Completeness("complete", WARN, ("email",), min=0.75),
            Completeness("all_complete", WARN, ("email", "seen"), min=0.75),
            Distinctness("distinct", WARN, ("city",), max=0.7),
            Uniqueness("unique", WARN, ("email",), min=0.5),
        ),
    )
    assert measured(case, kind) == {
        "complete": (0.75, 0),
        "all_complete": (0.5, 1),
        "distinct": (0.75, 1),
        "unique": (0.333333, 1),
    }
    case.execute("UPDATE people SET email = NULL WHERE id = 1; DELETE FROM people WHERE city = 'Rom'")
    assert measured(case, kind) == {
        "complete": (0.666667, 1),
        "all_complete": (0.333333, 1),
        "distinct": (0.666667, 0),
        "unique": (1.0, 0),
    }
    case.execute("DELETE FROM people")
    assert measured(case, kind) == dict.fromkeys(("complete", "all_complete", "distinct", "unique"), (None, 0))


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize(
    ("statistic", "value"),
    [(Statistic.MEAN, 45), (Statistic.MIN, 30), (Statistic.MAX, 60), (Statistic.STDDEV, 11.180339887)],
)
def test_a_statistic_is_compared_and_never_part_of_the_result(checked, kind, statistic, value):
    case = checked(
        PEOPLE,
        people=(
            StatisticBounds("within", WARN, "age", statistic, value - 0.001, value + 0.001),
            StatisticBounds("below", WARN, "age", statistic, max=value - 0.001),
            StatisticBounds("above", WARN, "age", statistic, min=value + 0.001),
        ),
    )
    result = case.merge(kind)
    assert [(one.check, one.value, one.violations) for one in result.datasets["people"].quality] == [
        ("within", None, 0),
        ("below", None, 1),
        ("above", None, 1),
    ]
    seen = kept_data(case, kind)["people"]
    assert [round(seen[check]["value"], 6) for check in ("within", "below", "above")] == [round(value, 6)] * 3


def kept_data(case, kind) -> dict:
    """What the last batch keeps for those who may see data."""
    metrics = names.batch_metrics_table(names.platform_name(PLATFORMS[kind]))
    ((found,),) = case.query(
        f"SELECT state -> 'quality_data' FROM {metrics} ORDER BY batch_id DESC LIMIT 1", case.target
    )
    return found or {}


@pytest.mark.parametrize("kind", Milestoning)
def test_not_a_number_is_above_every_bound_and_kept_nowhere(checked, kind):
    case = checked(PEOPLE, people=(StatisticBounds("c", WARN, "age", Statistic.MEAN, max=1e300),))
    case.execute("UPDATE people SET age = 'NaN' WHERE id = 1")
    assert measured(case, kind) == {"c": (None, 1)}
    assert kept_data(case, kind) == {}
    case.execute("UPDATE people SET age = 1 WHERE id = 1; UPDATE people SET age = 10::numeric ^ 400 WHERE id = 2")
    assert measured(case, kind) == {"c": (None, 1)}


@pytest.mark.parametrize("kind", Milestoning)
def test_the_newest_time_is_compared_with_the_time_of_the_snapshot(checked, kind):
    case = checked(PEOPLE, people=(MaxAge("hours", WARN, "seen", 7200), MaxAge("minutes", WARN, "seen", 600)))
    assert measured(case, kind) == {"hours": (None, 0), "minutes": (None, 1)}
    assert 3600 <= kept_data(case, kind)["people"]["hours"]["value"] < 7200
    case.execute("UPDATE people SET seen = now() WHERE id = 2")
    assert measured(case, kind) == {"hours": (None, 0), "minutes": (None, 0)}
    case.execute("UPDATE people SET seen = CASE WHEN id = 2 THEN 'infinity'::timestamptz END")
    assert measured(case, kind) == {"hours": (None, 1), "minutes": (None, 1)}  # there is no time at all


@pytest.mark.parametrize("kind", Milestoning)
def test_a_change_is_measured_against_the_last_batches(checked, kind):
    case = checked(
        PEOPLE,
        people=(
            RowCount("rows", WARN, 0),
            Completeness("complete", WARN, ("email",), min=0),
            ChangeOfValue("of_rows", WARN, "rows", 2, 0.8, 1.5),
            ChangeOfValue("of_complete", WARN, "complete", 2, 0.9),
        ),
    )

    def changes():
        found = measured(case, kind)
        return found["of_rows"], found["of_complete"]

    assert changes() == ((None, 0), (None, 0))  # there is nothing before
    case.execute("INSERT INTO people VALUES (5, 'e'), (6, 'f')")
    assert changes() == ((1.5, 0), (1.111111, 0))  # 6 of 4; 5/6 of 3/4
    case.execute("INSERT INTO people SELECT n FROM generate_series(7, 12) n")
    assert changes() == ((2.4, 1), (0.526316, 1))  # 12 of 5; 5/12 of 19/24
    case.execute("DELETE FROM people WHERE id > 9")
    assert changes() == ((1.0, 0), (0.888889, 1))  # 9 of 9; 5/9 of 5/8


@pytest.mark.parametrize("kind", Milestoning)
def test_a_value_is_measured_again_only_if_the_batch_changes_the_dataset(checked, give_checks, kind, monkeypatch):
    scans = []
    scanned = measures._scanned

    def counted(of, check):
        scans.append(check.name)
        return scanned(of, check)

    monkeypatch.setattr(measures, "_scanned", counted)
    check = Completeness("c", WARN, ("email",), min=0.7)
    fresh = MaxAge("f", WARN, "seen", 7200)
    case = checked(PEOPLE, people=(check, fresh))
    case.run(kind)
    assert scans == ["c", "f"]
    result = case.run(kind)
    assert scans == ["c", "f"]
    assert [(one.check, one.value, one.violations) for one in result.datasets["people"].quality] == [
        ("c", 0.75, 0),
        ("f", None, 0),
    ]
    give_checks(case, people=(replace(check, columns=("city",)), fresh))
    case.run(kind)
    assert scans == ["c", "f", "c"]
    case.execute("UPDATE people SET age = 1 WHERE id = 1")
    case.run(kind)
    assert scans == ["c", "f", "c", "c", "f"]


@pytest.mark.parametrize("kind", Milestoning)
def test_a_value_out_of_bounds_fails_the_batch_and_nothing_is_merged(checked, kind):
    case = checked(PEOPLE, people=(Completeness("c", FAIL, ("email",), min=0.75),))
    case.run(kind)
    before = case.open_rows(kind, case.datasets[0])
    case.execute("UPDATE people SET email = NULL WHERE id = 1")
    with pytest.raises(QualityFailed, match=r"people: c \(completeness\): 0\.5 is not at least 0\.75"):
        case.run(kind)
    assert case.open_rows(kind, case.datasets[0]) == before
    case.execute("UPDATE people SET email = '' WHERE id = 1")
    case.run(kind)


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize(
    "check",
    [
        Distinctness("c", WARN, ("data",), 0),
        AcceptedValues("c", WARN, "age", ("x",)),
        Expression("c", WARN, "email > 5"),
        Expression("c", FAIL, "1 / (age - 30) > 0"),
    ],
    ids=lambda check: check.kind.value,
)
def test_a_check_that_does_not_fit_the_columns_is_one_clear_error(checked, kind, check):
    case = checked(PEOPLE + "; ALTER TABLE people ADD data json", people=(check,))
    with pytest.raises(CheckImpossible) as caught:
        case.run(kind)
    assert (caught.value.check, caught.value.retryable) == ("c", False)


@pytest.mark.parametrize("kind", Milestoning)
def test_a_condition_that_cannot_be_calculated_for_a_row_is_broken_and_the_batch_goes_on(checked, kind):
    checks = (Expression("c", WARN, "1 / (age - 30) > 0", sample=3), NotNull("d", WARN, ("city",)))
    case = checked(PEOPLE, people=checks)
    found = {one.check: (one.violations, str(one)) for one in case.run(kind).datasets["people"].quality}
    said = "the value is not calculable for every row (division_by_zero)"
    assert found == {"c": (1, said), "d": (0, "0 rows")}
    case.execute("UPDATE people SET age = 20 WHERE id = 2")
    found = {one.check: one.violations for one in case.run(kind).datasets["people"].quality}
    assert found == {"c": 1, "d": 0}  # of the row that the batch brings, 1 / -10


@pytest.mark.parametrize("kind", Milestoning)
def test_numbers_are_compared_with_a_real_as_a_real(checked, kind):
    checks = (Range("range", WARN, "weight", 0.1, 0.5), AcceptedValues("accepted", WARN, "weight", (0.1, 0.5)))
    case = checked(PEOPLE + "; ALTER TABLE people ADD weight real; UPDATE people SET weight = 0.1", people=checks)
    assert {one.check: one.violations for one in case.run(kind).datasets["people"].quality} == {
        "range": 0,
        "accepted": 0,
    }


@pytest.mark.parametrize("kind", Milestoning)
def test_no_value_is_kept_of_a_column_with_personal_data(checked, kind):
    checks = (StatisticBounds("oldest", WARN, "age", Statistic.MAX, max=50), MaxAge("seen", WARN, "seen", 60))
    case = checked(PEOPLE, people=checks)
    (dataset,) = case.datasets
    hidden = tuple(replace(one, classification=Classification.PII) for one in dataset.columns if one.name != "id")
    case.datasets = (replace(dataset, columns=(dataset.columns[0], *hidden)),)
    assert measured(case, kind) == {"oldest": (None, 1), "seen": (None, 1)}
    assert kept_data(case, kind) == {}
    counter = names.batch_counter_table(names.platform_name(PLATFORMS[kind]))
    assert case.query(f"SELECT last_result_json -> 'measured' FROM {counter}") == [({},)]


OF_ROWS = {
    "accepted values": (
        AcceptedValues("c", WARN, "city", ("Bern", "Rom")),
        1,
        ("UPDATE people SET age = 1 WHERE id = 1", 0),
        ("UPDATE people SET city = NULL WHERE id = 2; UPDATE people SET city = 'Chur' WHERE id = 1", 1),
    ),
    "accepted numbers, however they are written": (
        AcceptedValues("c", WARN, "age", (30, 40.0, "50.00")),
        1,
        ("UPDATE people SET age = 40.000 WHERE id = 4", 0),
    ),
    "an expression": (
        Expression("c", WARN, "age >= 40 OR email ~ '^a@' AND city IN ('Bern', 'it''s %s {x}')"),
        0,
        ("UPDATE people SET city = 'Genf' WHERE id = 1", 1),
        ("UPDATE people SET city = 'it''s %s {x}' WHERE id = 1", 0),
        ("UPDATE people SET age = NULL, email = NULL WHERE id = 3", 0),
    ),
    "an expression of names that need quotes": (
        Expression("c", WARN, '"age" > 0 AND seen <= now()'),
        0,
        ("UPDATE people SET seen = now() + interval '1 day' WHERE id = 1", 1),
    ),
}


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("of_kind", OF_ROWS.values(), ids=OF_ROWS.keys())
def test_rows_that_break_it_are_counted(checked, violations_of, of_kind, kind):
    check, at_first, *rounds = of_kind
    case = checked(PEOPLE, people=(check,))
    assert violations_of(case.merge(kind), "people") == {"c": at_first}
    for statements, brought in rounds:
        case.execute(statements)
        assert violations_of(case.merge(kind), "people") == {"c": brought}, statements


@pytest.mark.parametrize("kind", Milestoning)
def test_keys_of_rows_that_break_a_check_are_kept_as_many_as_it_says(checked, kind):
    case = checked(
        PEOPLE + "; CREATE TABLE town (id int PRIMARY KEY, name text); INSERT INTO town VALUES (1, 'Bern'), (2, 'Rom')",
        people=(
            NotNull("email_is_set", WARN, ("email",), sample=5),
            Unique("email_is_unique", WARN, ("email",), sample=5),
            Range("is_young", WARN, "age", max=35, sample=2),
            Reference("in_town", WARN, ("city",), "town", ("name",), sample=1),
            NotNull("city_is_set", WARN, ("city",), sample=5),
            Expression("no_sample", WARN, "age < 0"),
        ),
    )
    case.run(kind)
    kept = kept_data(case, kind)["people"]
    assert kept["email_is_set"] == {"keys": [{"id": "3"}]}
    assert sorted(one["id"] for one in kept["email_is_unique"]["keys"]) == ["1", "4"]
    assert len(kept["is_young"]["keys"]) == 2
    assert kept["in_town"] == {"keys": [{"id": "4"}]}
    assert kept.keys() == {"email_is_set", "email_is_unique", "is_young", "in_town"}
    case.execute("INSERT INTO people VALUES (5, NULL, 'Bern', 1)")
    case.run(kind)
    assert kept_data(case, kind)["people"]["email_is_set"] == {"keys": [{"id": "5"}]}  # of the rows of this batch


@pytest.mark.parametrize("kind", Milestoning)
def test_keys_of_a_batch_that_failed_are_kept_with_it_and_none_is_in_the_error(checked, kind):
    case = checked(PEOPLE, people=(NotNull("c", FAIL, ("email",), sample=5),))
    case.execute("UPDATE people SET id = 987654 WHERE id = 3")
    with pytest.raises(QualityFailed) as caught:
        case.run(kind)
    assert "987654" not in str(caught.value)
    assert kept_data(case, kind) == {"people": {"c": {"keys": [{"id": "987654"}]}}}


@pytest.mark.parametrize("kind", Milestoning)
def test_no_key_is_kept_that_has_personal_data_in_it(checked, kind):
    case = checked(PEOPLE, people=(NotNull("c", WARN, ("email",), sample=5),))
    (dataset,) = case.datasets
    hidden = tuple(
        replace(one, classification=Classification.PII) if one.name == "id" else one for one in dataset.columns
    )
    case.datasets = (replace(dataset, columns=hidden),)
    case.run(kind)
    assert kept_data(case, kind) == {}
