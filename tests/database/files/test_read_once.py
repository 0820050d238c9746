"""Files of which each is read once: the merge table is what they give one after another, whatever happens between."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from config_schema.model import ChangedFiles, Column, Dataset, FileOptions, FilesTaken, Milestoning
from config_schema.result import ResultCode
from merge_jobs.admin.diff import FilesReadOnce, compare
from merge_jobs.errors import KeysRejected
from merge_jobs.sources.files.errors import FilesMissing, FolderNotRead, ReadFileChanged, ValueOfFileRefused
from tests.database.files.conftest import as_csv
from tests.database.merge.test_random_histories import OPEN, begin_anew, run_and_be_killed_after

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
ONCE, AGAIN = FileOptions(take=FilesTaken.NEW), FileOptions(take=FilesTaken.NEW, changed=ChangedFiles.READ)
COLUMNS = (Column("id", "integer", nullable=False), Column("word", "text"))
EVENTS = Dataset("t", COLUMNS, ("id",), table="*.csv", files=ONCE)
START = 1_700_000_000


def write(folder, name: str, rows, at: int) -> None:
    """Write a file as it was changed so many seconds after the start."""
    folder.write(name, as_csv(rows, ["id", "word"]))
    os.utime(folder.path / name, (START + at, START + at))


def merged(case, of: Milestoning = LIVE) -> dict[int, str | None]:
    return {int(key[0]): row[1] for key, row in case.open_rows(of, case.datasets[0]).items()}


def test_each_file_is_read_once_in_the_order_of_its_time_and_then_its_name(of_files, folder):
    case = of_files(folder, EVENTS)
    write(folder, "c.csv", [(1, "third"), (4, "c")], 1)
    write(folder, "b.csv", [(1, "second"), (2, "b")], 1)
    write(folder, "z.csv", [(1, "first"), (2, "z"), (3, "z")], 0)
    for of in Milestoning:
        result = case.run(of)
        assert (result.batches, result.code, result.partly_read) == (3, ResultCode.DONE, ("t",))
        assert merged(case, of) == {1: "third", 2: "b", 3: "z", 4: "c"}
        again = case.run(of)
        assert (again.batches, again.total.changed, again.total.total) == (0, 0, 4)
        assert again.datasets["t"].strategy == "new_files"
    words = [row[1] for key, row, _ in case.versions(FORENSIC, case.datasets[0]) if key == ("1",)]
    assert words == ["first", "second", "third"]
    # What has gone is nothing, also where all have; what comes late is read when it comes.
    for name in ("b.csv", "c.csv", "z.csv"):
        folder.remove(name)
    for of in Milestoning:
        assert (case.run(of).total.changed, len(merged(case, of))) == (0, 4)
    write(folder, "a.csv", [(1, "late")], -5)
    write(folder, "empty.csv", [], -4)
    write(folder, "same.csv", [(2, "b")], -3)
    for of in Milestoning:
        result = case.run(of)
        assert (result.total.updated, result.total.deleted, result.code) == (1, 0, ResultCode.DONE)
        assert merged(case, of)[1] == "late"
        assert len(case.query("SELECT name FROM {}_files_read".format(f"yellow{of.value}"), on=case.target)) == 6


def test_objects_of_a_bucket_are_read_once_too(of_files, producer):
    case = of_files(producer, replace(EVENTS, table="in/*.csv"))
    for number in range(3):
        producer.write(f"in/{number}.csv", as_csv([(number, "x"), (9, str(number))], ["id", "word"]))
    case.run(LIVE)
    assert merged(case) == {0: "x", 1: "x", 2: "x", 9: "2"}
    producer.write("in/3.csv", as_csv([(9, "new")], ["id", "word"]))
    result = case.run(LIVE)
    assert (result.total.updated, result.batches) == (1, 1)
    producer.write("in/3.csv", as_csv([(9, "old")], ["id", "word"]))  # of the same length, maybe in the same second
    with pytest.raises(ReadFileChanged, match=r"in/3\.csv: it has changed since it was read"):
        case.run(LIVE)


def test_a_file_that_changed_after_it_was_read_is_refused_or_read_again(of_files, folder):
    case = of_files(folder, EVENTS)
    write(folder, "a.csv", [(1, "a")], 0)
    write(folder, "b.csv", [(2, "b")], 1)
    case.run(LIVE)
    write(folder, "a.csv", [(1, "changed")], 9)
    write(folder, "c.csv", [(3, "c")], 5)
    with pytest.raises(ReadFileChanged, match=r"a\.csv: it has changed since it was read.*changed: read") as caught:
        case.run(LIVE)
    assert not caught.value.retryable
    assert merged(case) == {1: "a", 2: "b", 3: "c"}  # what came before it
    case.datasets = (replace(EVENTS, files=AGAIN),)
    case.run(LIVE)
    assert merged(case) == {1: "changed", 2: "b", 3: "c"}


def test_what_is_wrong_in_a_file_leaves_it_unread_and_what_came_before_it_merged(of_files, folder):
    case = of_files(folder, EVENTS)
    with pytest.raises(FilesMissing):
        case.run(LIVE)
    write(folder, "a.csv", [(1, "a")], 0)
    write(folder, "b.csv", [("x", "b")], 1)
    write(folder, "c.csv", [(1, "c"), (1, "c")], 2)
    with pytest.raises(ValueOfFileRefused, match=r"b\.csv, line 2: column id"):
        case.run(LIVE)
    assert merged(case) == {1: "a"}
    write(folder, "b.csv", [(2, "b")], 1)
    with pytest.raises(KeysRejected):
        case.run(LIVE)
    assert merged(case) == {1: "a", 2: "b"}
    folder.remove("c.csv")
    os.rename(folder.path / "a.csv", os.fsencode(folder.path) + b"/\xff.csv")
    with pytest.raises(FolderNotRead, match="its name is no UTF-8"):
        case.run(LIVE)
    assert merged(case) == {1: "a", 2: "b"}


def test_all_files_are_read_again_after_a_reload_and_there_is_nothing_to_compare(of_files, folder):
    case = of_files(folder, EVENTS)
    write(folder, "a.csv", [(1, "a"), (2, "a")], 0)
    write(folder, "b.csv", [(2, "b")], 1)
    case.run(LIVE)
    case.execute("UPDATE yellowlive_row_maps SET kind = NULL, guard = guard - 'map' - 'cursor'", on=case.target)
    case.execute("UPDATE public.\"yellowlive_Store1_t_merge\" SET word = 'lost'", on=case.target)
    result = case.run(LIVE)
    assert result.datasets["t"].strategy == "new_files"
    assert merged(case) == {1: "a", 2: "b"}
    assert case.run(LIVE).total.changed == 0
    job = case.job(LIVE)
    with pytest.raises(FilesReadOnce):
        compare(job.store, job.source, job.stream, case.datasets, 10)


keys = st.integers(1, 5)
files = st.tuples(st.lists(st.tuples(keys, st.sampled_from("abc")), max_size=4), st.integers(-3, 3))
events = st.one_of(st.tuples(st.just("new"), files), st.tuples(st.just("changed"), files), st.tuples(st.just("gone")))
crashes = st.sampled_from([None, None, "ingest", "merge_datasets", "write_result", "_commit"])
histories = st.lists(st.tuples(st.lists(events, max_size=3), crashes), min_size=2, max_size=4)
FIRST = ("new", ([(1, "a"), (2, "b")], 0))
KILLED = [
    ([FIRST, ("new", ([(1, "b")], 0))], "_commit"),
    ([("changed", ([(1, "c")], 2))], "ingest"),
    ([("gone",)], None),
]


class Truth:
    """The files that are there, those that were read, and every version that they gave."""

    def __init__(self, folder) -> None:
        self.folder, self.there, self.read, self.number = folder, {}, {}, 0
        self.rows: dict[int, str] = {}
        self.versions: list = []
        self.batches = 0

    def change(self, event, now: int) -> None:
        kind, *of = event
        if kind == "gone" or (kind == "changed" and not self.there):
            for name in sorted(self.there)[:1]:
                self.folder.remove(name)
                del self.there[name]
            return
        rows, late = of[0]
        rows, at = list(dict(rows).items()), now * 10 + late * 5
        if kind == "new":
            self.number += 1
        name = f"{self.number % 3}-{self.number}.csv" if kind == "new" else max(self.there)
        write(self.folder, name, rows, at)
        self.there[name] = (os.stat(self.folder.path / name).st_size, at, rows)

    def apply(self) -> None:
        for name, (size, at, rows) in sorted(self.there.items(), key=lambda one: (one[1][1], one[0])):
            if self.read.get(name) == (size, at):
                continue
            changed = {key: word for key, word in rows if self.rows.get(key) != word}
            if changed or not self.read:
                self.batches += 1
            for version in self.versions:
                if version[0] in changed and version[3] == OPEN:
                    version[3] = self.batches
            self.versions += [[key, word, self.batches, OPEN] for key, word in changed.items()]
            self.rows |= changed
            self.read[name] = (size, at)


def test_a_random_history_of_files_gives_what_they_give_one_after_another(of_files, folder):
    case = of_files(folder, replace(EVENTS, files=AGAIN))
    case.execute("CREATE TABLE t ()")

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(histories)
    @example(KILLED)
    def follows_the_truth(history):
        begin_anew(case)
        for file in folder.path.iterdir():
            file.unlink()
        truth = Truth(folder)
        truth.change(FIRST, 0)
        for number, (of_round, crash) in enumerate(history):
            for event in of_round:
                truth.change(event, number)
            if not truth.there and not truth.read:
                continue  # no list of files is taken for an empty dataset
            truth.apply()
            for of in Milestoning:
                if crash is not None:
                    run_and_be_killed_after(crash, case, of, f"round-{number}", None)
                # A run that has committed a batch is not done again, but says that there is more.
                if case.run(of, f"round-{number}", lock_wait=300).code is ResultCode.KEEP_WORKING:
                    assert case.run(of, f"round-{number}-more", lock_wait=300).code is ResultCode.DONE
                assert merged(case, of) == truth.rows
            found = [(int(key[0]), row[1], *span) for key, row, span in case.versions(FORENSIC, case.datasets[0])]
            assert sorted(found) == sorted(map(tuple, truth.versions))

    follows_the_truth()
