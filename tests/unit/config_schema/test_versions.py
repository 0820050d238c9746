"""Migrations as files: their form, that released ones stay as they are, and what a database lacks."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from config_schema import names
from config_schema.sql import versions
from config_schema.sql.versions import (
    AppliedMigration,
    Part,
    State,
    TablesTooNew,
    TablesTooOld,
    TablesVersion,
    migrations,
)

# One that is changed would leave older installations without the change: write a new one, and add it here.
RELEASED = {
    1: "7c119522f80a5b7f5a7bc0809ee169463e8293ec87a6af8968ea66f0d98c30fe",
    2: "0ac7986f8e0376726d66c03551a45263fc3e4dddbeb8151f66a4cf1fdcdedabb",
    3: "1e85a58e8e3806023eecc511b5f37d3f0f53b5b9f2643e143d2d90d18e9ba3f6",
    4: "a221aab11ae34ba3391eccc0ec347efc071970f7f4571c8f1b0e995953382747",
    5: "d46fc82269b9a4cf7260ab93db83d04fda704dafb5350b1b207f683ed1266ca3",
    6: "fa8e2d9cd1b6fbfb3a10ec1d8f024a24245410b404ed343c52fbbbf0fa16bd5a",
    7: "c8e404525e992aec316bc5f002e39d0de063e42a017cf450a5f22ced4bf70e99",
    8: "c45b03b472c5eec237636c29582c25dec870548e2061b2470575367625fc3039",
    9: "64ef10705778b6874a60d0f1f3a50b3abdd5bf0f9dc3fec3efe1f79b98332e99",
    10: "199b240ed995e7272d7a5e97804558abab52ed81ea1f4d0395ef5d1769925a0b",
    11: "b55d6481977992bbb30ec0811699176e68d8cf9bfae9ad92816581d0b5a7f3bc",
    12: "94198cfb088e79e2c3f026fda39e2744d4ba3da0555616272a3c1af283ffd574",
    13: "b5fc398e6142b89f3cc34114aa4b4083fb4394f1c6149fb02fd5f3517dafddb6",
    14: "c31c9973847c64aa913062d11273e0737bd4f0d81edb5e6709b14a56ff5b0d89",
}
PLATFORM = "yellowlive"


def applied(*numbers: int, **changed) -> tuple[AppliedMigration, ...]:
    known = {one.number: one for one in migrations()}
    return tuple(
        AppliedMigration(number, known[number].name, changed.get("checksum", known[number].checksum), True)
        for number in numbers
    )


def tables_version(part: Part, *numbers: int, lost: tuple[str, ...] = (), **changed) -> TablesVersion:
    wanted = versions.tables(PLATFORM, part)
    there = tuple(table for table in wanted if table not in lost)
    return TablesVersion(part, there, applied(*numbers, **changed), wanted, versions.of_part(part))


def test_a_released_migration_stays_as_it_was():
    assert {one.number: one.checksum for one in migrations()} == RELEASED


def test_the_checksum_is_that_of_the_sql_alone():
    one = migrations()[2]
    other = replace(one.statement, text=f"-- another comment\n\n{one.statement.text.replace(' ', '  ')}  -- and one")
    assert replace(one, statement=other).checksum == one.checksum
    other = replace(one.statement, text=one.statement.text.replace("IS NOT NULL", "IS NULL"))
    assert replace(one, statement=other).checksum != one.checksum


def test_every_migration_can_be_run_again_on_tables_that_have_it():
    for one in migrations():
        for statement in re.sub("--.*", "", one.statement.text).split(";"):
            words = " ".join(statement.split())
            made = re.match(
                r"(CREATE|DROP|ALTER) (UNIQUE )?(TABLE|INDEX|SEQUENCE|SCHEMA|VIEW)( IF| CONCURRENTLY)?", words
            )
            assert made is None or made[4] == " IF" or re.match(r"ALTER TABLE \S+ (ADD|DROP) COLUMN IF", words), words
            assert "DROP TABLE" not in words


def test_a_migration_names_only_what_a_platform_has():
    for one in migrations():
        assert one.statement.identifiers <= versions.identifiers(PLATFORM, "public").keys(), str(one)
        assert not one.statement.values


def test_the_tables_of_both_parts_and_their_versions_are_those_of_the_platform():
    parts = [table for part in Part for table in versions.tables(PLATFORM, part)]
    assert len(set(parts)) == len(parts)
    assert {*parts, names.schema_version_table(PLATFORM)} <= set(names.platform_tables(PLATFORM))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "0001_x.sql",
            "-- part: others\n-- older programs: stop\nSELECT 1",
            "with the lines `part` and `older programs`",
        ),
        ("0001_x.sql", "SELECT 1", "with the lines `part` and `older programs`"),
        ("1_x.sql", "-- part: streams\n-- older programs: stop\nSELECT 1", "a migration is 0001_name.sql"),
        ("0002_x.sql", "-- part: streams\n-- older programs: stop\nSELECT 1", "the next migration has the number 0001"),
    ],
)
def test_a_file_that_is_no_migration_is_named(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=said) as raised:
        versions.read_migrations(tmp_path)
    assert name in str(raised.value)


def test_a_number_is_given_once(tmp_path):
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / name).write_text("-- part: streams\n-- older programs: stop\nSELECT 1")
    with pytest.raises(ValueError, match=r"0001_b.sql: the next migration has the number 0002"):
        versions.read_migrations(tmp_path)


STREAMS = [one.number for one in versions.of_part(Part.STREAMS)]
BATCHES = [one.number for one in versions.of_part(Part.BATCHES)]


def test_what_lacks_migrations_gets_those_and_what_lost_a_table_gets_all():
    assert [one.number for one in tables_version(Part.STREAMS, 1).needed] == [n for n in STREAMS if n != 1]
    assert tables_version(Part.STREAMS, *STREAMS).needed == ()
    lost = tables_version(Part.BATCHES, *BATCHES, lost=("yellowlive_row_maps",))
    assert [one.number for one in lost.needed] == BATCHES
    assert lost.state is State.OLD
    assert str(lost).endswith("yellowlive_row_maps is missing")


@pytest.mark.parametrize(
    ("found", "state", "said"),
    [
        (tables_version(Part.STREAMS, lost=versions.tables(PLATFORM, Part.STREAMS)), State.ABSENT, "are not made yet"),
        (
            tables_version(Part.STREAMS, *STREAMS),
            State.CURRENT,
            f"version {STREAMS[-1]} of the tables of streams, up to date",
        ),
        (
            tables_version(Part.BATCHES),
            State.OLD,
            "version 0 of the tables of batches, .* 0014 files_read is missing",
        ),
        (tables_version(Part.BATCHES, *BATCHES, checksum="x"), State.CHANGED, "0002 batch_tables, .* was another one"),
    ],
)
def test_each_state_is_reported_with_what_stands_and_what_is_wanted(found, state, said):
    assert found.state is state
    assert re.search(said, str(found))


@pytest.mark.parametrize(("older_may_run", "state"), [(True, State.NEWER), (False, State.TOO_NEW)])
def test_tables_of_a_newer_program_are_refused_only_where_that_says_so(older_may_run, state):
    known = tables_version(Part.BATCHES, *BATCHES)
    newer = replace(known, applied=(*known.applied, AppliedMigration(9000, "of_tomorrow", "x", older_may_run)))
    assert newer.state is state
    assert newer.version == 9000
    if older_may_run:
        newer.check("merge store")
        return
    with pytest.raises(TablesTooNew, match="9000 of_tomorrow is not for programs that do not know it") as raised:
        newer.check("merge store")
    assert raised.value.todo == "Use the version of plugin and image that changed them, or a newer one"
    assert raised.value.tables_version == newer


def test_who_may_not_upgrade_is_informed_who_may():
    error = TablesTooOld("tables of yellowlive", tables_version(Part.STREAMS, 1), "permission denied for schema public")
    assert "this login may not change that (permission denied for schema public)" in error.what
    assert "Run dagfactory db upgrade with the login that owns the tables" in error.todo
    assert not error.retryable
