"""Producers that are not PostgreSQL: SQLite always, MariaDB where the machine has it; the laws hold for them too.

The truth is computed apart: what the producer's own driver reads, as PostgreSQL writes it, against the merge table.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from config_schema.job_model import StreamModel
from config_schema.model import Column, Consistency, Database, Dataset, Milestoning, SourceKind
from config_schema.model.sql_types import long_name
from config_schema.result import ResultCode
from merge_jobs.admin.diff import Difference, compare
from merge_jobs.catalogue import described
from merge_jobs.database.connections import place_of
from merge_jobs.errors import (
    ConnectFailed,
    DatabaseFailed,
    SourceColumnMissing,
    SourceMismatch,
    SourceTableMissing,
    ValidTimesRejected,
)
from merge_jobs.run import request
from merge_jobs.run.flags import ModelFlags, StoreFlags
from merge_jobs.run.job import run
from merge_jobs.sources.sql.source import NoSnapshot
from tests.database.merge.producers import MariaProducer, compare_with, execute, read_from

PEOPLE = Dataset(
    "people",
    (
        Column("id", "integer", nullable=False),
        Column("fullName", "varchar(100)"),
        Column("amount", "numeric(12,2)"),
        Column("born", "date"),
        Column("seen", "timestamp"),
        Column("raw", "bytea"),
        Column("note", "text"),
    ),
    ("id",),
)
# Where the type that holds every value is another one than the model's.
DESCRIBED = {
    SourceKind.SQLITE: {"id": "bigint", "owner": "bigint", "fullName": "text", "amount": "numeric"},
    SourceKind.MYSQL: {"seen": "timestamp(0) without time zone"},
}
PETS = Dataset("pets", (Column("id", "integer", nullable=False), Column("owner", "integer")), ("id",))

TABLES = """
CREATE TABLE people (id INTEGER PRIMARY KEY, `fullName` VARCHAR(100), amount DECIMAL(12, 2), born DATE,
    seen DATETIME, raw BLOB, note TEXT);
CREATE TABLE pets (id INTEGER PRIMARY KEY, owner INTEGER);
INSERT INTO people VALUES (1, 'Zoë \\\\ 山', 12.50, '1980-02-29', '2026-01-02 03:04:05', x'00ff5c', '');
INSERT INTO people VALUES (2, NULL, -0.01, NULL, NULL, x'', NULL);
INSERT INTO people VALUES (3, 'Tab', 1.00, '2000-01-01', '2026-01-02 00:00:00', NULL, 'DATASURFACE_RESULT_CODE=0');
INSERT INTO pets VALUES (1, 1);
INSERT INTO pets VALUES (2, 3)
"""
CHANGES = """
UPDATE people SET note = NULL WHERE id = 1;
DELETE FROM people WHERE id = 2;
INSERT INTO people (id, amount) VALUES (9, 3.10);
UPDATE pets SET owner = 9 WHERE id = 2
"""


@pytest.fixture
def case(merging, producer):
    """The harness of the laws, with this producer in the place of PostgreSQL."""
    made = merging("SELECT 1")
    made.datasets = (PEOPLE, PETS)
    execute(producer, TABLES)
    read_from(made, producer)
    compare_with(merging("SELECT 1"), made, producer)
    return made


def test_the_laws_hold_for_a_producer_that_is_not_postgresql(case, producer):
    case.merge_both()
    execute(producer, CHANGES)
    results = case.merge_both()
    for result in results.values():
        assert (result.total.inserted, result.total.updated, result.total.deleted) == (1, 2, 1)
    case.merge_both()


def test_versions_are_valid_from_a_time_of_such_a_producer_in_utc(case, producer):
    columns = tuple(replace(one, nullable=False) if one.name == "seen" else one for one in PEOPLE.columns)
    case.datasets = (replace(PEOPLE, columns=columns, valid_from="seen"), PETS)
    execute(producer, "UPDATE people SET seen = '2026-01-02 03:04:05'")
    case.run(Milestoning.FORENSIC)
    execute(producer, "UPDATE people SET note = 'new', seen = '2026-01-02 03:04:06' WHERE id = 1")
    case.run(Milestoning.FORENSIC)
    ends = 'SELECT ds_valid_to FROM "yellowforensic_Store1_people_merge" WHERE ds_batch_out = 2'
    assert case.query(ends) == [(datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),)]
    execute(producer, "UPDATE people SET note = 'newer', seen = '2026-01-02 03:04:05' WHERE id = 1")
    with pytest.raises(ValidTimesRejected):
        case.run(Milestoning.FORENSIC)


def test_such_a_producer_is_compared_with_what_was_merged(case, producer):
    def found():
        job = case.job(Milestoning.FORENSIC)
        return compare(job.store, job.source, job.stream, job.stream.datasets, 20)

    case.run(Milestoning.FORENSIC)
    assert found().is_equal
    execute(producer, CHANGES)
    shown = [
        (name, key.difference, key.key["id"], key.columns) for name, of in found().datasets.items() for key in of.keys
    ]
    assert shown == [
        ("people", Difference.ONLY_IN_SOURCE, "9", ()),
        ("people", Difference.ONLY_IN_MERGE_TABLE, "2", ()),
        ("people", Difference.DIFFERENT, "1", ("note",)),
        ("pets", Difference.DIFFERENT, "2", ("owner",)),
    ]


def test_such_a_database_is_described_as_it_is_modelled(case, producer):
    place = place_of(producer.database(), None, case.secrets)
    datasets = described(place, "Store1", "producer", Consistency.MULTI_DATASET).datastore.datasets
    exact = DESCRIBED[producer.kind]
    as_modelled = [
        (one.name, [(c.name, exact.get(c.name, long_name(c.type))) for c in one.columns], one.primary_key)
        for one in (PEOPLE, PETS)
    ]
    assert [(one.name, [(c.name, c.type) for c in one.columns], one.primary_key) for one in datasets] == as_modelled
    case.datasets = datasets
    case.merge_both()


def test_all_datasets_come_from_one_snapshot(case, producer, monkeypatch):
    from merge_jobs.sources.sql.source import SqlAlchemySource

    changed = []

    def then_changed(read):
        def copy(self, *arguments):
            dataset, *_ = arguments
            rows = read(self, *arguments)
            if not changed:  # the other dataset changes while the first has been read
                changed.append(dataset.name)
                execute(producer, "DELETE FROM pets; DELETE FROM people")
            return rows

        return copy

    for reads in ("copy_out", "copy_rows_and_hashes"):
        monkeypatch.setattr(SqlAlchemySource, reads, then_changed(getattr(SqlAlchemySource, reads)))
    if producer.kind is SourceKind.SQLITE:
        with closing(producer.connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # else a reader keeps the writer out
    result = run(case.job(Milestoning.LIVE))
    assert changed
    assert result.total.total == 5


def test_a_missing_table_and_a_missing_column_are_named(case, producer):
    case.datasets = (replace(PETS, name="pet"),)
    with pytest.raises(SourceTableMissing) as no_table:
        case.run(Milestoning.LIVE)
    assert no_table.value.table == "pet"
    case.datasets = (replace(PETS, columns=(*PETS.columns, Column("color", "text"))),)
    with pytest.raises(SourceColumnMissing) as no_column:
        case.run(Milestoning.LIVE)
    assert (no_column.value.table, no_column.value.columns) == ("pets", ("color",))


def test_a_file_that_is_not_there_is_an_error_and_no_new_database(merging, tmp_path):
    from merge_jobs.database.connections import place_of
    from merge_jobs.sources.opening import open_source

    path = tmp_path / "nowhere.db"
    with pytest.raises(ConnectFailed, match="the file cannot be opened"):
        open_source(place_of(Database("h", str(path), "none", kind=SourceKind.SQLITE), None, {}), "t")
    assert not path.exists()


def test_a_wrong_password_is_said_without_it(maria):
    from merge_jobs.database.connections import place_of
    from merge_jobs.sources.opening import open_source

    secrets = {"PRODUCER_USERNAME": "producer", "PRODUCER_PASSWORD": "hunter2"}
    place = place_of(MariaProducer(maria, "mysql").database(), None, secrets)
    with pytest.raises(ConnectFailed, match="wrong user name or password") as caught:
        open_source(place, "t")
    assert not caught.value.retryable
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("producer", ["mariadb"], indirect=True)
def test_a_definition_that_the_driver_does_not_know_is_no_warning_with_its_text(case, producer):
    execute(producer, "ALTER TABLE pets ADD place POINT COMMENT 'secret'")
    assert case.run(Milestoning.LIVE).datasets["pets"].counts.total == 2


@pytest.mark.parametrize("producer", ["mariadb"], indirect=True)
def test_a_table_without_a_snapshot_is_refused(case, producer):
    execute(producer, "ALTER TABLE pets ENGINE = MyISAM")
    with pytest.raises(NoSnapshot, match="its engine MyISAM knows no snapshot"):
        case.run(Milestoning.LIVE)


def test_a_text_that_postgresql_cannot_hold_is_refused_without_its_value(case, producer):
    text = "'secret' || char(0)" if producer.kind is SourceKind.SQLITE else "concat('secret', char(0))"
    execute(producer, f"INSERT INTO people (id, note) VALUES (77, {text})")
    with pytest.raises((SourceMismatch, DatabaseFailed)) as caught:
        case.run(Milestoning.LIVE)
    assert "NUL" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("producer", ["sqlite"], indirect=True)
def test_a_job_reads_only_a_file_that_the_settings_admit(case, producer, monkeypatch, tmp_path):
    for variable, value in case.secrets.items():
        monkeypatch.setenv(variable, value)
    model = StreamModel(case.ecosystem, frozenset())
    monkeypatch.setattr(request, "stream_model_of", lambda *_: (model, None))
    folder = producer.path.parent

    def ask(*hosts: str):
        run_id = f"run-{len(hosts)}"
        asked = request.Request("YellowLive", "Store1", run_id, ModelFlags(), StoreFlags(), source_hosts=hosts)
        return request.perform(asked)

    refused = ask("pg-data:5432", "file:", f"file:{tmp_path / 'elsewhere'}/")
    assert (refused.code, refused.retryable) == (ResultCode.ERROR, False)
    assert "is not allowed by the platform's settings" in refused.error
    assert "allowed.source_files" in refused.error
    admitted = ask("file:", f"file:{folder}/")
    assert (admitted.code, admitted.error) == (ResultCode.DONE, None)
    assert admitted.total.inserted > 0
