"""Producers that give files: the laws hold for them, and what is wrong in one is refused with the file and the line."""

from __future__ import annotations

import io
import os
import random
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config_schema.model import Column, Dataset, FileFormat, FileOptions, FilesTaken, Milestoning, SourceKind
from merge_jobs.errors import ConnectFailed, KeysRejected, SourceColumnMissing, TooManyDeletes
from merge_jobs.run.source_policy import SourceNotAdmitted, admitted_source, check_source_host
from merge_jobs.sources.files import formats
from merge_jobs.sources.files import storage as storage_module
from merge_jobs.sources.files.errors import (
    FileChanged,
    FilesMissing,
    FolderNotRead,
    FormatBroken,
    ValueOfFileRefused,
)
from merge_jobs.sources.files.formats import Reader
from merge_jobs.sources.files.storage import LocalFolder, matches
from tests.database.files.conftest import NAMES, PEOPLE, as_csv, as_json_lines, as_parquet, zipped

LIVE = Milestoning.LIVE
ROWS = [
    (1, "Zoë \\ 山", "12.50", "1980-02-29", "2026-01-02 03:04:05+00", True, '{"a": [1, 2.50, null, "x"]}'),
    (2, None, "-0.01", None, None, None, None),
    (3, 'a,"b"\nc\td', "1.00", "2000-01-01", "2026-01-02T00:00:00.5+02:00", False, '"text"'),
]
CHANGED = [ROWS[0], (3, "other", *ROWS[2][2:]), (9, "new", "3.1", None, None, None, "7")]
FORMATS = {
    "csv": as_csv,
    "csv.gz": lambda rows: zipped(as_csv(rows)),
    "jsonl": as_json_lines,
    "ndjson.gz": lambda rows: zipped(as_json_lines(rows)),
    "parquet": as_parquet,
}


@pytest.mark.parametrize("ending", FORMATS)
def test_the_laws_hold_for_files_of_every_format(of_files, producer, ending):
    write = FORMATS[ending]
    case = of_files(producer, table=f"people*.{ending}")
    producer.write(f"people.{ending}", write(ROWS))
    producer.write("other.csv", b"this\nis not read")
    case.truth = ROWS
    case.merge_both()
    producer.write(f"people.{ending}", write(CHANGED))
    case.truth = CHANGED
    for result in case.merge_both().values():
        assert (result.total.inserted, result.total.updated, result.total.deleted) == (1, 1, 1)
    case.merge_both()


def test_all_files_that_match_are_one_list_and_an_empty_one_of_them_adds_nothing(of_files, producer):
    case = of_files(producer, table="2026-*/people_?.csv")
    producer.write("2026-01/people_1.csv", as_csv(ROWS[:1]))
    producer.write("2026-02/people_2.csv", as_csv(ROWS[1:]))
    producer.write("2026-02/people_3.csv", as_csv([]))
    producer.write("2026-02/deeper/people_4.csv", as_csv([(4, *ROWS[0][1:])]))
    case.truth = ROWS
    case.merge_both()
    producer.remove("2026-01/people_1.csv")
    case.truth = ROWS[1:]
    for result in case.merge_both().values():
        assert result.total.deleted == 1


def test_the_newest_file_alone_is_the_list_if_the_model_says_so(of_files, folder):
    case = of_files(folder, files=FileOptions(take=FilesTaken.NEWEST))
    for number, rows in enumerate((ROWS[:1], CHANGED, ROWS[1:])):
        folder.write(f"people{number}.csv", as_csv(rows))
        os.utime(folder.path / f"people{number}.csv", (1_700_000_000 + number % 2, 1_700_000_000 + number % 2))
    case.truth = CHANGED  # of 1; the others are older
    case.merge_both()


@pytest.mark.parametrize(
    "options",
    [
        FileOptions(delimiter=";", quote="'", null="\\N"),
        FileOptions(delimiter="\t", encoding="latin-1"),
        FileOptions(delimiter="|", encoding="utf-16", null="NULL"),
    ],
    ids=lambda one: one.encoding,
)
def test_csv_is_read_as_the_options_say(of_files, folder, options):
    rows = [(1, "Zoë;'|\n", *ROWS[0][2:]), (2, None, *ROWS[1][2:]), (3, "" if options.null else None, *ROWS[2][2:])]
    case = of_files(folder, files=options)
    folder.write("people.csv", as_csv(rows, options=options, newline="\r\n"))
    case.truth = rows
    case.merge_both()


def test_a_byte_order_mark_empty_lines_and_other_columns_do_no_harm(of_files, folder):
    case = of_files(folder)
    text = as_csv([("x", *row) for row in ROWS], ["unknown", *NAMES]).decode()
    folder.write("people.csv", b"\xef\xbb\xbf" + text.replace("\n2,", "\n\n2,").replace("\nx,2", "\n\nx,2").encode())
    case.truth = ROWS
    case.merge_both()


HEAD = as_csv([]).decode()
BROKEN = {
    "no head": (b"", FormatBroken, "people.csv, line 1: it is empty"),
    "a column is missing": (b"id,fullName\n1,x\n", SourceColumnMissing, "has no column 'amount'"),
    "a name twice": (b"id,id\n1,2\n", FormatBroken, "line 1: two columns have the name 'id'"),
    "too few fields": ((HEAD + "1,a,2,,,,\n2,b\n").encode(), FormatBroken, "people.csv, line 3: it has 2 fields"),
    "too many fields": ((HEAD + "1,a,2,,,,,,\n").encode(), FormatBroken, "line 2: it has 9 fields"),
    "a quote that is not closed": ((HEAD + '1,"a,2,,,,\n2,b,3,,,,\n').encode(), FormatBroken, "line 2: it is no CSV"),
    "text after a quote": ((HEAD + '1,"a"b,2,,,,\n').encode(), FormatBroken, "line 2: it is no CSV"),
    "no UTF-8": (HEAD.encode() + b"1,a\xff,2,,,,\n", FormatBroken, "a text is no utf-8"),
    "a name that is no column's twice": (
        b"4711,Smith,Smith\n",
        FormatBroken,
        "people.csv, line 1: columns 2 and 3 have one name",
    ),
    "HTML": (b"<!DOCTYPE html>\n<html><body>Login</body></html>\n", SourceColumnMissing, "has no column 'id'"),
    "a word where a number is": (
        (HEAD + "1,a,2,,,,\n" + '2,"b\nb",secret,,,,\n').encode(),
        ValueOfFileRefused,
        "people.csv, line 3: column amount: a text where the model has numeric(12,2)",
    ),
    "a number that would be rounded": (
        (HEAD + "1,a,1.005,,,,\n").encode(),
        ValueOfFileRefused,
        "line 2: column amount",
    ),
    "a number that is too large": ((HEAD + "3000000000,,,,,,\n").encode(), ValueOfFileRefused, "line 2: column id"),
    "a date that there is not": ((HEAD + "1,,,2023-02-29,,,\n").encode(), ValueOfFileRefused, "column born"),
    "a word with a meaning": ((HEAD + "1,,,today,,,\n").encode(), ValueOfFileRefused, "column born"),
    "NUL": ((HEAD + "1,a\0b,,,,,\n").encode(), ValueOfFileRefused, "column fullName: the character NUL"),
    "a key twice": ((HEAD + "1,,,,,,\n1,,,,,,\n").encode(), KeysRejected, "keys of more than one row"),
    "a key that is NULL": ((HEAD + ",x,,,,,\n").encode(), KeysRejected, "NULL in their key"),
}


@pytest.mark.parametrize(("content", "kind", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_wrong_in_csv_is_refused_with_its_place_and_nothing_is_lost(of_files, folder, content, kind, said):
    case = of_files(folder)
    folder.write("people.csv", as_csv(ROWS))
    case.truth = ROWS
    case.merge_both()
    folder.write("people.csv", content)
    for of in Milestoning:
        with pytest.raises(kind) as caught:
            case.run(of, max_delete_fraction=1.0)
        assert said in str(caught.value), caught.value
        assert not caught.value.retryable
        assert "secret" not in str(caught.value)
        assert len(case.open_rows(of, case.datasets[0])) == 3
    folder.write("people.csv", as_csv(CHANGED))
    case.truth = CHANGED
    for of in Milestoning:
        case.run(of)
        assert case.open_rows(of, case.datasets[0]) == case.source_rows(case.datasets[0])


OF_JSON = {
    "no JSON": (b'{"id": 1}\n{"id": \n', FormatBroken, "people.jsonl, line 2: it is no JSON"),
    "no object": (b"[1]\n", FormatBroken, "line 1: it is no JSON object"),
    "a key twice": (b'{"id": 1, "id": 2}\n', FormatBroken, "line 1: a key is in it twice"),
    "NaN": (b'{"id": 1, "amount": NaN}\n', FormatBroken, "NaN is no number of JSON"),
    "nested without end": (b'{"id": ' + b"[" * 100_000 + b"\n", FormatBroken, "line 1: it is no JSON"),
    "nested more than we write": (
        b'{"id": 1, "data": ' + b'{"a": ' * 700 + b"1" + b"}" * 701 + b"\n",
        FormatBroken,
        "line 1: it is nested too deeply",
    ),
    "too many digits": (b'{"id": 1, "amount": 1e' + b"9" * 30 + b"}\n", FormatBroken, "line 1: it is no JSON"),
    "no UTF-8": (b'{"id": 1, "fullName": "\xff"}\n', FormatBroken, "line 1: it is no UTF-8"),
    "an object in a number": (b'{"id": 1, "amount": {"a": 1}}\n', ValueOfFileRefused, "line 1: column amount"),
    "half a character": (b'{"id": 1, "fullName": "\\ud800"}\n', ValueOfFileRefused, "column fullName: half of a"),
    "HTML": (b"<html>\n", FormatBroken, "line 1: it is no JSON"),
    "a text that is nested without end": (
        b'{"id": 1, "fullName": ' + b"[" * 600 + b"]" * 600 + b"}\n",
        FormatBroken,
        "line 1: it is nested too deeply",
    ),
}


@pytest.mark.parametrize(("content", "kind", "said"), OF_JSON.values(), ids=OF_JSON.keys())
def test_what_is_wrong_in_json_lines_is_refused_with_its_place(of_files, folder, content, kind, said):
    case = of_files(folder, table="people.jsonl")
    folder.write("people.jsonl", content)
    with pytest.raises(kind) as caught:
        case.run(LIVE)
    assert said in str(caught.value), caught.value


def test_numbers_of_json_keep_every_digit(of_files, folder):
    columns = (Column("id", "bigint", nullable=False), Column("n", "numeric"), Column("d", "jsonb"))
    case = of_files(folder, Dataset("t", columns, ("id",), table="t.jsonl"))
    n = "12345678901234567890.123456789012345678901"
    folder.write("t.jsonl", f'{{"id": 1, "n": {n}, "d": {{"x": [{n}, 1e400]}}}}\n'.encode())
    case.truth = [(1, n, f'{{"x": [{n}, 1e400]}}')]
    case.merge_both()


@pytest.mark.parametrize("name", ["PEOPLE.CSV.GZ", "people.Csv.gz"])
def test_an_ending_counts_whatever_its_case(of_files, folder, name):
    case = of_files(folder, table=name)
    folder.write(name, zipped(as_csv(ROWS)))
    case.truth = ROWS
    case.merge_both()


@pytest.mark.parametrize("cut", [0, 4, 100, -1, -200])
def test_a_parquet_file_that_is_not_whole_is_refused(of_files, folder, cut):
    case = of_files(folder, table="people.parquet")
    folder.write("people.parquet", as_parquet(ROWS)[:cut])
    with pytest.raises(FormatBroken, match=r"people\.parquet: it is no whole Parquet file"):
        case.run(LIVE)


def test_an_object_or_a_list_in_a_column_of_texts_is_json_with_every_digit(of_files, folder):
    import pyarrow as pa
    from pyarrow import parquet

    columns = (Column("id", "bigint", nullable=False), Column("a", "text"), Column("b", "text"))
    case = of_files(folder, Dataset("t", columns, ("id",), table="t.jsonl"))
    folder.write("t.jsonl", b'{"id": 1, "a": {"x": [2.50, null]}, "b": [1.10, true, "\xc3\xab"]}\n')
    case.truth = [(1, '{"x": [2.50, null]}', '[1.10, true, "ë"]')]
    case.merge_both()
    case = of_files(folder, Dataset("t", columns, ("id",), table="t.parquet"))
    table = {"id": [1], "a": [{"x": [Decimal("2.50"), None]}], "b": [[date(2026, 1, 2)]]}
    parquet.write_table(pa.table(table), folder.path / "t.parquet")
    case.truth = [(1, '{"x": [2.50, null]}', '["2026-01-02"]')]
    case.merge_both()


def test_bytes_within_a_value_of_parquet_are_no_json(of_files, folder):
    import pyarrow as pa
    from pyarrow import parquet

    columns = (Column("id", "bigint", nullable=False), Column("a", "jsonb"))
    case = of_files(folder, Dataset("t", columns, ("id",), table="t.parquet"))
    parquet.write_table(pa.table({"id": [1], "a": [{"x": b"secret"}]}), folder.path / "t.parquet")
    with pytest.raises(FormatBroken, match=r"t\.parquet, line 1: a part of it is damaged, or of a type"):
        case.run(LIVE)


@pytest.mark.parametrize(("value", "zone"), [(2**62, None), (1, "Mars/secret")], ids=["a date", "a time zone"])
def test_what_python_has_not_is_refused_without_its_text(of_files, folder, value, zone):
    import pyarrow as pa
    from pyarrow import parquet

    columns = (Column("id", "integer", nullable=False), Column("a", "timestamptz"))
    case = of_files(folder, Dataset("t", columns, ("id",), table="t.parquet"))
    table = {"id": [1], "a": pa.array([value], pa.timestamp("us", tz=zone))}
    parquet.write_table(pa.table(table), folder.path / "t.parquet")
    with pytest.raises(FormatBroken, match=r"t\.parquet, line 1: a part of it is damaged, or of a type") as caught:
        case.run(LIVE)
    assert "secret" not in str(caught.value)


def test_the_names_of_a_file_make_no_error_without_an_end(folder):
    columns = ["long" * 100 + str(number) for number in range(1000)]
    content = io.BytesIO(",".join([*NAMES[1:], *columns]).encode())
    with pytest.raises(SourceColumnMissing) as caught:
        Reader("here", "people.csv", content, FileOptions(), PEOPLE.columns)
    assert len(str(caught.value)) < 5000
    assert "Choose from: active, amount" in str(caught.value)


def test_a_column_that_a_parquet_file_has_twice_is_refused_if_the_model_has_it(of_files, folder):
    import pyarrow as pa
    from pyarrow import parquet

    columns = (Column("id", "bigint", nullable=False), Column("a", "text"))
    case = of_files(folder, Dataset("t", columns, ("id",), table="t.parquet"))

    def write(*names):
        table = pa.Table.from_arrays([pa.array([1]), *(pa.array(["x"]) for _ in names)], names=["id", *names])
        parquet.write_table(table, folder.path / "t.parquet")

    write("a", "a")
    with pytest.raises(FormatBroken, match=r"t\.parquet: two columns have the name 'a'"):
        case.run(LIVE)
    write("a", "b", "b")
    case.truth = [(1, "x")]
    case.merge_both()


def test_utf_16_without_a_byte_order_mark_is_refused(of_files, folder):
    case = of_files(folder, files=FileOptions(encoding="utf-16"))
    folder.write("people.csv", as_csv(ROWS).decode().encode("utf-16-be"))
    with pytest.raises(FormatBroken, match="line 1: at this line or soon after it a text is no utf-16"):
        case.run(LIVE)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_part_has_fewer_rows_where_they_are_large(of_files, folder, monkeypatch, ending):
    monkeypatch.setattr(formats, "BYTES_AT_ONCE", 100_000)
    columns = (Column("id", "integer", nullable=False), Column("a", "text"))
    dataset = Dataset("t", columns, ("id",), table=f"t.{ending}")
    case = of_files(folder, dataset)
    words = random.Random(1)
    case.truth = [(number, words.randbytes(10_000).hex()) for number in range(50)]
    write = {"csv": as_csv, "jsonl": as_json_lines, "parquet": as_parquet}[ending]
    folder.write(f"t.{ending}", write(case.truth, ["id", "a"]))
    with (folder.path / f"t.{ending}").open("rb") as stream:
        reader = formats.Reader("here", f"t.{ending}", stream, FileOptions(), columns)
        parts = [len(part) for part in reader.parts()]
        reader.close()
    assert sum(parts) == 50
    assert max(parts) <= 5
    case.merge_both()


@pytest.mark.parametrize("ending", ["csv.gz", "ndjson.gz"])
def test_a_gzip_file_that_is_not_whole_is_refused(of_files, folder, ending):
    case = of_files(folder, table=f"people.{ending}")
    for content in (FORMATS[ending](ROWS * 100)[:-9], b"not gzip", b""):
        folder.write(f"people.{ending}", content)
        with pytest.raises(FormatBroken, match="it is no whole gzip file"):
            case.run(LIVE)


def test_no_file_is_an_error_and_never_an_empty_dataset(of_files, producer):
    case = of_files(producer)
    producer.write("people.csv", as_csv(ROWS))
    case.run(LIVE)
    producer.write("persons.csv", as_csv(ROWS))
    producer.remove("people.csv")
    with pytest.raises(FilesMissing, match=r"no file matches 'people\*\.csv': there is only persons\.csv"):
        case.run(LIVE, max_delete_fraction=1.0)
    assert len(case.open_rows(LIVE, case.datasets[0])) == 3


def test_a_file_with_few_rows_meets_the_delete_guard(of_files, folder):
    case = of_files(folder)
    folder.write("people.csv", as_csv([(number, *ROWS[1][1:]) for number in range(3000)]))
    case.run(LIVE)
    folder.write("people.csv", as_csv(ROWS))
    with pytest.raises(TooManyDeletes):
        case.run(LIVE, max_delete_fraction=0.2)


def test_a_file_that_changes_while_it_is_read_is_tried_again(of_files, folder, monkeypatch):
    case = of_files(folder)
    folder.write("people.csv", as_csv(ROWS))
    opened = LocalFolder.open

    def open_and_change(self, name):
        stream = opened(self, name)
        folder.write("people.csv.new", as_csv(CHANGED))
        (folder.path / "people.csv.new").rename(folder.path / "people.csv")
        return stream

    monkeypatch.setattr(LocalFolder, "open", open_and_change)
    with pytest.raises(FileChanged) as caught:
        case.run(LIVE)
    assert caught.value.retryable
    monkeypatch.undo()
    case.truth = CHANGED
    case.merge_both()


def replaced(folder):
    folder.write("people.csv.new", as_csv(CHANGED))
    (folder.path / "people.csv.new").rename(folder.path / "people.csv")


def removed(folder):
    folder.remove("people.csv")


MEANWHILE = {
    "a file that is not whole yet": (as_csv(ROWS[:1]) + b'3,"a', replaced, False),
    "a file without its head": (b"", replaced, False),
    "a file with a value that does not fit": ((HEAD + "x,,,,,,\n").encode(), replaced, False),
    "a file without a column": (b"id\n1\n", replaced, False),
    "a file that has gone": (as_csv(ROWS), removed, True),
}


@pytest.mark.parametrize(("content", "change", "is_before"), MEANWHILE.values(), ids=MEANWHILE.keys())
def test_what_is_wrong_in_a_file_that_changes_meanwhile_is_tried_again(
    of_files, folder, monkeypatch, content, change, is_before
):
    case = of_files(folder)
    folder.write("people.csv", content)
    opened = LocalFolder.open

    def open_and_change(self, name):
        change(folder)
        return opened(self, name) if is_before else io.BytesIO(content)

    monkeypatch.setattr(LocalFolder, "open", open_and_change)
    with pytest.raises(FileChanged) as caught:
        case.run(LIVE)
    assert caught.value.retryable
    monkeypatch.undo()
    folder.write("people.csv", as_csv(CHANGED))
    case.truth = CHANGED
    case.merge_both()


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("at", [0, 4096])
def test_a_storage_that_fails_while_a_file_is_read_is_tried_again(of_files, folder, monkeypatch, ending, at):
    case = of_files(folder, table=f"people.{ending}")
    words = random.Random(1)
    rows = [(number, words.randbytes(40).hex(), *ROWS[0][2:]) for number in range(1000)]
    folder.write(f"people.{ending}", FORMATS[ending](rows))

    class Failing(io.FileIO):
        def readinto(self, buffer):
            if self.tell() >= at:
                raise OSError(5, "secret of the network")
            return super().readinto(memoryview(buffer)[: at - self.tell()])

    monkeypatch.setattr(LocalFolder, "open", lambda _, name: io.BufferedReader(Failing(folder.path / name), 1024))
    with pytest.raises(FolderNotRead, match=rf"people\.{ending}: the storage failed while it was read") as caught:
        case.run(LIVE)
    assert caught.value.retryable
    assert "secret" not in str(caught.value)
    monkeypatch.undo()
    case.truth = rows
    case.merge_both()


def test_a_link_out_of_the_folder_and_what_is_no_file_are_not_read(of_files, folder, tmp_path):
    case = of_files(folder)
    (tmp_path / "people.csv").write_bytes(as_csv(ROWS))
    (folder.path / "people.csv").symlink_to(tmp_path / "people.csv")
    with pytest.raises(FolderNotRead, match="a link that leads out of the folder"):
        case.run(LIVE)
    (folder.path / "people.csv").unlink()
    os.mkfifo(folder.path / "people.csv")
    (folder.path / "people2.csv").symlink_to("nowhere")
    with pytest.raises(FilesMissing):
        case.run(LIVE)


def test_a_row_in_the_place_of_the_names_is_not_shown(of_files, folder):
    case = of_files(folder)
    folder.write("people.csv", b"4711,Smith,a disease,id\n")
    with pytest.raises(SourceColumnMissing, match="begin with a line of its columns' names") as caught:
        case.run(LIVE)
    assert not caught.value.known
    for value in ("4711", "Smith", "a disease"):
        assert value not in str(caught.value)


@pytest.fixture
def linked(folder, tmp_path):
    """Make a folder of the place a link out of it, as a producer can at any moment."""
    folder.write("in/people.csv", b"id\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "people.csv").write_bytes(b"secret\n")

    def become_a_link():
        (folder.path / "in").rename(tmp_path / "before")
        (folder.path / "in").symlink_to(tmp_path / "out")

    return become_a_link


def test_a_folder_that_becomes_a_link_before_a_file_is_opened_is_not_followed(folder, linked, monkeypatch):
    resolve = os.path.realpath

    def resolved(path, **options):
        found = resolve(path, **options)
        linked()
        return found

    monkeypatch.setattr(os.path, "realpath", resolved)
    with pytest.raises(FolderNotRead):
        LocalFolder(folder.path, "here").open("in/people.csv")


def test_a_folder_that_becomes_a_link_before_it_is_listed_is_not_followed(folder, linked, monkeypatch):
    opened = storage_module.opened_without_links

    def opening(path, flags=0):
        if path == folder.path / "in":
            linked()
        return opened(path, flags)

    monkeypatch.setattr(storage_module, "opened_without_links", opening)
    with pytest.raises(FolderNotRead):
        list(LocalFolder(folder.path, "here").files("in/*.csv"))


def test_only_folders_that_a_pattern_names_are_opened_and_a_ring_of_links_counts_where_it_matches(folder, monkeypatch):
    folder.write("2026-01/x.csv", b"id\n")
    folder.write("2026-01/other.txt", b"")
    folder.write("lost+found/x.csv", b"id\n")
    for ring in ("ring.csv", "2026-ring", "2026-01/ring"):
        (folder.path / ring).symlink_to(folder.path / ring)
    walked = []
    opened = storage_module.opened_without_links

    def opening(path, flags=0):
        walked.append(path)
        return opened(path, flags)

    monkeypatch.setattr(storage_module, "opened_without_links", opening)
    place = LocalFolder(folder.path, "here")
    assert sorted(file.name for file in place.files("2026-*/*.csv")) == ["2026-01/other.txt", "2026-01/x.csv"]
    assert walked == [folder.path, folder.path / "2026-01"]
    with pytest.raises(FolderNotRead, match=r"here: ring\.csv: it cannot be read"):
        list(place.files("*.csv"))


def test_a_folder_with_too_many_files_is_refused_while_it_is_listed(folder, monkeypatch):
    monkeypatch.setattr(storage_module, "MOST_FILES", 3)
    place = LocalFolder(folder.path, "here")
    for number in range(3):
        folder.write(f"{number}.csv", b"id\n")
    assert len(list(place.files("*.csv"))) == 3
    folder.write("3.csv", b"id\n")
    with pytest.raises(FolderNotRead, match="more than 3 files in the folders"):
        list(place.files("*.csv"))


ENDLESS = {
    "a line": (["x" * (1 << 20)] * 3, "csv"),
    "a row of many lines": (['"\n",' * 1000] * 3000, "csv"),
}


@pytest.mark.parametrize(("parts", "ending"), ENDLESS.values(), ids=ENDLESS.keys())
def test_a_row_of_csv_without_an_end_is_refused_before_it_is_in_memory(of_files, folder, monkeypatch, parts, ending):
    monkeypatch.setattr(formats, "LONGEST_LINE", 1 << 20)
    case = of_files(folder)
    folder.write(f"people.{ending}", HEAD.encode() + "".join(parts).encode())
    with pytest.raises(FormatBroken, match="line 2: a row of it has more than 1 million characters"):
        case.run(LIVE)


def test_a_folder_that_is_not_there_or_closed_is_named(of_files, folder):
    case = of_files(folder)
    folder.path.rmdir()
    with pytest.raises(FolderNotRead, match="cannot be read"):
        case.run(LIVE)


def test_a_bucket_that_is_not_there_or_does_not_answer_is_named(of_files, moto_port, monkeypatch):
    from tests.database.files.conftest import BucketOfMoto

    producer = BucketOfMoto(moto_port, "there")
    producer.bucket = "nowhere"
    with pytest.raises(FolderNotRead, match="there is no such bucket") as caught:
        of_files(producer).run(LIVE)
    assert not caught.value.retryable
    producer.port = 1
    with pytest.raises((FolderNotRead, ConnectFailed)) as caught:
        of_files(producer).run(LIVE)
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "b/a.csv", False),
        ("*/a?.csv", "b/ab.csv", True),
        ("[ab].csv", "c.csv", False),
        ("a.csv", "A.csv", False),
        ("*", ".hidden", True),
    ],
)
def test_a_pattern_matches_within_each_folder(pattern, name, fits):
    assert matches(pattern, name) is fits


def test_only_folders_that_the_settings_allow_are_read(folder, tmp_path):
    place = folder.database()
    assert admitted_source(place, [f"file:{folder.path}/"]).database == str(folder.path)
    assert admitted_source(place, [f"file:{tmp_path}/"]).database == str(folder.path)
    check_source_host(place, [f"file:{folder.path}/"])
    for others in (["file:/elsewhere/"], ["file:"], [f"file:{folder.path}x/"], [f"file:{folder.path}"]):
        with pytest.raises(SourceNotAdmitted):
            admitted_source(place, others)
    (tmp_path / "link").symlink_to(folder.path)
    linked = replace(place, database=str(tmp_path / "link"))
    assert admitted_source(linked, [f"file:{tmp_path}/link/"]).database == str(folder.path)
    with pytest.raises(SourceNotAdmitted):
        admitted_source(linked, [f"file:{folder.path}/"])
    with pytest.raises(SourceNotAdmitted):
        admitted_source(replace(place, database=str(folder.path / "no folder")), ["file:/elsewhere/"])
    bucket = replace(place, database="s3://b/in", host="s3.example", port=443)
    check_source_host(bucket, ["s3.example:443"])
    with pytest.raises(SourceNotAdmitted):
        check_source_host(bucket, ["s3.other:443"])


values = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_any_texts_arrive_as_they_are(of_files, folder, ending):
    columns = (Column("id", "integer", nullable=False), Column("a", "text"), Column("b", "text"))
    case = of_files(folder, Dataset("t", columns, ("id",), table=f"t.{ending}"))
    write = {"csv": as_csv, "jsonl": as_json_lines, "parquet": as_parquet}[ending]

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(values, values), min_size=1, max_size=20))
    def hold(texts):
        rows = [(number, a, b) for number, (a, b) in enumerate(texts)]
        folder.write(f"t.{ending}", write(rows, ["id", "a", "b"]))
        case.truth = [tuple(None if one == "" and ending == "csv" else one for one in row) for row in rows]
        case.run(LIVE, max_delete_fraction=1.0)
        assert case.open_rows(LIVE, case.datasets[0]) == case.source_rows(case.datasets[0])

    hold()


def test_a_format_that_is_given_counts_more_than_the_ending(of_files, folder):
    case = of_files(folder, table="people.dat", files=FileOptions(format=FileFormat.CSV))
    folder.write("people.dat", as_csv(ROWS))
    case.truth = ROWS
    case.merge_both()


def test_a_large_file_is_read_in_parts(of_files, folder):
    columns = (Column("id", "integer", nullable=False), Column("a", "text"))
    case = of_files(folder, Dataset("t", columns, ("id",), table="t.csv"))
    words = random.Random(1)
    rows = [(number, f"{words.random()}") for number in range(25_000)]
    folder.write("t.csv", as_csv(rows, ["id", "a"]))
    case.truth = rows
    case.merge_both()
    folder.write("t.csv", as_csv([*rows[:-1], ("x", "y")], ["id", "a"]))
    with pytest.raises(ValueOfFileRefused) as caught:
        case.run(LIVE)
    assert (caught.value.line, caught.value.column) == (25_001, "id")


def test_the_source_is_of_files(folder):
    assert folder.database().kind is SourceKind.FILES
    assert PEOPLE.source_table == "people*.csv"
