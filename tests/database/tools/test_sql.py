"""`merge-job sql`: what it prints is what runs, and it needs neither a database nor a secret."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from psycopg2 import sql

import merge_jobs.sql
from config_schema.errors import OptionMissing, UnknownName, ValueWrong
from config_schema.model import (
    ChangeFeed,
    Consistency,
    Cursor,
    Database,
    DatasetGroup,
    DatasetSink,
    DatasetStrategy,
    FileOptions,
    FilesTaken,
    Milestoning,
    SourceKind,
    Workspace,
)
from config_schema.model.ecosystem import OnDelete
from config_schema.model.mapping import Assignment, AssignmentStatus, DsgMapping
from merge_jobs.admin.erase import erase
from merge_jobs.database.connections import place_of
from merge_jobs.run.job import Job, run
from merge_jobs.run.render_sql import datasets_to_show, plain_text, rendered_sql, steps_of
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.sql import composed, statement, statements_of
from merge_jobs.strategies.cursor import DELETED_AT_WORDS, NO_DELETES_FOUND_WORDS
from merge_jobs.strategies.delta_steps import KEPT_TITLE
from merge_jobs.strategies.full import FULL
from merge_jobs.strategies.new_files import ONCE_WORDS
from merge_jobs.strategies.parallel_load import SEVERAL_WORDS
from merge_jobs.strategies.row_map_load import CURSOR_WORDS, UNLISTED_WORDS
from merge_jobs.strategies.selection import STRATEGIES, StrategyOption
from merge_jobs.strategies.step import UNNAMED, Section, Step, perform
from tests.warm_python import run_module

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
PLATFORM = {LIVE: "YellowLive", FORENSIC: "YellowForensic"}
FILES = [kind.value for kind in Milestoning]
TABLE = """
    CREATE TABLE customers (id int PRIMARY KEY, word text);
    INSERT INTO customers SELECT n, 'word' FROM generate_series(1, 100) n;
"""
# Two COPYs run at once, in two threads.
AT_ONCE = frozenset(["postgres_source.copy_out", "postgres_source.copy_since", "postgres_source.copy_keys"])
MAPS = ("version_diff", "key_hash_diff", "row_map", "cursor", "change_feed")
SWEPT = Cursor("id", delete_sweep=0)
# What the words of a step say that is only printed for a dataset with a cursor, or with another one than this.
OF_CURSORS = (CURSOR_WORDS, DELETED_AT_WORDS, NO_DELETES_FOUND_WORDS)
OF_TABLES = [name for name in STRATEGIES if name not in ("new_files", "change_feed")]
# What the words of a step say that does not happen in a batch which finds changes.
UNUSUAL = (
    *("only in an audit", "where nothing is staged", "instead of that, where no dataset has changed"),
    "only where the model has `keep_closed_days`",
    "only where the model has `valid_from`",
    "only where the model has `keep_changes`",
    SEVERAL_WORDS,
    UNLISTED_WORDS,
)


def sections(strategy: str, kind: Milestoning, postgresql: bool = True) -> list[tuple[Step, Section]]:
    """What is printed of a batch."""
    return [
        (step, section)
        for step in steps_of(STRATEGIES[strategy])
        for section in step.sections
        if (not section.strategies or strategy in section.strategies)
        and (step.when is None or step.when.words not in OF_CURSORS)
        and (step.when is None or step.when.words != ONCE_WORDS or strategy == "new_files")
        and (postgresql or not section.postgresql)
        and section.milestoning in (None, kind)
    ]


def as_read(dataset, strategy: str):
    """The dataset, as its model is where it is read by the strategy."""
    if strategy == "new_files":
        return replace(dataset, table="*.csv", files=FileOptions(take=FilesTaken.NEW))
    of_cursor = {"strategy": DatasetStrategy.CURSOR, "cursor": SWEPT} if strategy == "cursor" else {}
    return replace(dataset, **of_cursor)


def in_full(names, kind: Milestoning) -> list[str]:
    full = [kind.value + name if name.startswith(".") else name for name in names]
    return [name for name in full if name.partition(".")[0] not in FILES or name.startswith(kind.value)]


def printed(strategy: str, kind: Milestoning) -> list[str]:
    """The statements that are printed for a milestoning."""
    return in_full([name for _, section in sections(strategy, kind) for name in section.statements], kind)


def expected(strategy: str, kind: Milestoning, postgresql: bool = True) -> list[str]:
    """The statements that a batch which finds changes runs, in order."""
    usual = [
        name
        for step, section in sections(strategy, kind, postgresql)
        if (step.when is None or step.when.words not in UNUSUAL) and section.title != KEPT_TITLE
        for name in section.statements
    ]
    return in_full(usual, kind)


def merge_table(kind: Milestoning) -> str:
    return f'"public"."{PLATFORM[kind].lower()}_Store1_customers_merge"'


@pytest.fixture
def run_names(monkeypatch):
    """The names of the statements that are composed for the driver, in order."""
    seen: list[str] = []

    def noted(name, parts, values):
        seen.append(name)
        return composed(name, parts, values)

    for module in (
        "merge_jobs.sql",
        "merge_jobs.stores.postgres.tables",
        "merge_jobs.sources.postgres.source",
        "merge_jobs.strategies.version_diff",
        "merge_jobs.strategies.row_hashes",
        "merge_jobs.strategies.change_feed",
        "merge_jobs.sources.postgres.change_feed",
    ):
        monkeypatch.setattr(f"{module}.composed", noted)
    return seen


@pytest.fixture
def run_outside(monkeypatch):
    """The names of the statements that are composed outside of all steps, in order."""
    seen: list[str] = []
    named = merge_jobs.sql._check_named

    def noted(name):
        if merge_jobs.sql._held_to.get() is None:
            seen.append(name)
        named(name)

    monkeypatch.setattr(merge_jobs.sql, "_check_named", noted)
    return seen


# --- the steps


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_statement_that_a_step_names_is_there(strategy, kind):
    for name in printed(strategy, kind):
        assert statement(name).text
    for name in {name for step in steps_of(STRATEGIES[strategy]) for name in (*step.also, *UNNAMED)}:
        assert statement(name).text if "." in name else statements_of(name)


@pytest.mark.parametrize("kind", Milestoning)
def test_each_statement_of_a_milestoning_is_printed(kind):
    reported = {name for strategy in STRATEGIES for name in printed(strategy, kind)}
    assert {f"{kind.value}.{name}" for name in statements_of(kind.value)} <= reported


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("strategy", OF_TABLES)
def test_a_batch_runs_what_is_printed_in_that_order(merging, run_names, strategy, kind):
    case = merging(TABLE)
    wanted = {"strategy": StrategyOption.KEY_HASH_DIFF} if strategy == "key_hash_diff" else {}
    case.datasets = tuple(as_read(one, strategy) for one in case.datasets)
    with_an_erased_key(case.job(kind))
    if strategy != "initial":
        case.run(kind, **wanted)
        case.execute(
            """DELETE FROM customers WHERE id = 1; UPDATE customers SET word = 'x' WHERE id IN (3, 100);
               INSERT INTO customers VALUES (101)"""
        )
    if strategy == "full":
        case.execute("ALTER TABLE customers ADD age int")
        case.describe()
    run_names.clear()
    result = case.run(kind, **wanted)
    assert result.datasets["customers"].strategy == strategy
    reported = expected(strategy, kind)
    ran = [name for name in run_names if name in reported]
    assert AT_ONCE.intersection(ran) == AT_ONCE.intersection(reported)
    assert [name for name in ran if name not in AT_ONCE] == [name for name in reported if name not in AT_ONCE]
    assert {name for name in run_names if name.partition(".")[0] in (*FILES, *MAPS, "drift")} <= set(reported)


@pytest.mark.parametrize("strategy", ["initial", "full"])
def test_a_batch_of_a_producer_elsewhere_runs_what_is_printed_for_it(merging, run_names, tmp_path, strategy):
    case = merging(TABLE)
    job = of_sqlite(case, tmp_path)
    with_an_erased_key(job)
    if strategy != "initial":
        run(job)
        with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
            connection.execute("UPDATE customers SET word = 'x' WHERE id = 3")
            connection.execute("DELETE FROM customers WHERE id = 1")
            connection.execute("INSERT INTO customers VALUES (101, 'new')")
        job = replace(job, run_id="second")
    run_names.clear()
    assert run(job).datasets["customers"].strategy == strategy
    reported = [
        name
        for name in expected(strategy, LIVE, postgresql=False)
        if not name.startswith(("postgres_source", "guard", "drift"))
    ]
    assert [name for name in run_names if name in reported] == reported
    assert {name for name in run_names if name.partition(".")[0] in (*FILES, *MAPS)} <= set(reported)


@pytest.mark.parametrize("kind", Milestoning)
def test_a_batch_of_a_file_that_is_read_once_runs_what_is_printed_for_it(merging, run_names, tmp_path, kind):
    case = merging(TABLE)
    case.datasets = tuple(as_read(one, "new_files") for one in case.datasets)
    database = Database("localhost", str(tmp_path), "none", kind=SourceKind.FILES)
    job = case.job(kind)
    stream = replace(job.stream, store=replace(job.stream.store, source=database))
    job = replace(job, stream=stream, source=place_of(database, None, case.secrets))
    with_an_erased_key(job)
    (tmp_path / "1.csv").write_text("id,word\n" + "".join(f"{number},a\n" for number in range(1, 101)))
    run_names.clear()
    run(job)
    assert run_names.count("files_read.record") == 1
    (tmp_path / "2.csv").write_text("id,word\n2,a\n3,x\n101,a\n")
    run_names.clear()
    assert run(replace(job, run_id="second")).datasets["customers"].strategy == "new_files"
    of_deletes = ("live.delete_gone", "forensic.close_deleted")
    reported = [
        name
        for name in expected("new_files", kind, postgresql=False)
        if not name.startswith(("postgres_source", "guard", "drift")) and name not in of_deletes
    ]
    assert [name for name in run_names if name in reported] == reported
    assert {name for name in run_names if name.partition(".")[0] in (*FILES, *MAPS)} <= set(reported)


def with_an_erased_key(job: Job) -> None:
    """So that what keeps it away is run too."""
    erase(job.store, job.stream, job.stream.datasets[0], [["2"]])


def of_sqlite(case, folder) -> Job:
    """A job on the same dataset, kept in SQLite."""
    with closing(sqlite3.connect(folder / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE customers (id int PRIMARY KEY, word text)")
        connection.executemany("INSERT INTO customers VALUES (?, 'word')", [(number,) for number in range(1, 101)])
    job = case.job(LIVE)
    database = Database("h", str(folder / "shop.db"), "none", kind=SourceKind.SQLITE)
    stream = replace(job.stream, store=replace(job.stream.store, source=database))
    return replace(job, stream=stream, source=place_of(database, None, case.secrets))


@pytest.mark.parametrize("strategy", [StrategyOption.AUTO, StrategyOption.KEY_HASH_DIFF])
def test_an_audit_runs_what_is_printed_for_it(merging, run_names, strategy):
    case = merging(TABLE)
    case.run(LIVE, strategy=strategy)
    run_names.clear()
    case.run(LIVE, strategy=strategy, audit_interval=0.000001)
    kind = "version_diff" if strategy is StrategyOption.AUTO else "key_hash_diff"
    assert f"{kind}.count_missed" in run_names


@pytest.mark.parametrize("kind", Milestoning)
def test_a_look_that_finds_nothing_ends_as_it_is_printed(merging, run_names, kind):
    case = merging(TABLE)
    case.run(kind)
    run_names.clear()
    case.run(kind)
    (nothing,) = [section for step, section in sections("full", kind) if step.when and step.when.words == UNUSUAL[2]]
    ran = [name for name in run_names if name.startswith(("batches.", "run_results."))]
    assert tuple(ran[-len(nothing.statements) :]) == nothing.statements


def test_a_batch_runs_no_statement_outside_of_its_steps(merging, run_outside):
    case = merging(TABLE)
    for change in ("", "UPDATE customers SET word = 'x' WHERE id = 3", "ALTER TABLE customers ADD age int", ""):
        if change:
            case.execute(change)
            case.describe()
        run_outside.clear()
        case.run(FORENSIC)
        around = ("session", "batches.take_lock", "batches.lock_is_held", "batches.result_of_run", "batches.last_batch")
        assert [one for one in run_outside if one not in around and one.partition(".")[0] not in around] == []


@pytest.mark.parametrize("name", ["live.delete_gone", "dataset.null_keys"])
def test_a_step_that_runs_a_statement_which_it_does_not_name_is_an_error_of_the_program(name):
    def run_another(_):
        composed(name, dict.fromkeys(statement(name).identifiers, sql.SQL("x")), dict.fromkeys(statement(name).values))

    another = Step(run_another, FULL.stage_steps[0].sections)
    with pytest.raises(ValueError, match=f"'an empty staging table' runs the statement {name}, which it does not name"):
        perform([another], None)
    perform([replace(another, also=(name,))], None)
    perform([replace(another, also=(name.partition(".")[0],))], None)


def test_a_thread_of_a_copy_is_held_to_the_step_that_it_is_of(merging, monkeypatch):
    case = merging(TABLE)
    copy_out = PostgresSource.copy_out

    def with_another(self, *arguments):
        composed("dataset.count_staged", {"staging": sql.SQL("x")}, {})
        return copy_out(self, *arguments)

    monkeypatch.setattr(PostgresSource, "copy_out", with_another)
    with pytest.raises(ValueError, match=r"runs the statement dataset\.count_staged, which it does not name"):
        case.run(LIVE)


def test_outside_of_tests_an_unnamed_statement_is_logged_and_runs(monkeypatch, caplog):
    monkeypatch.undo()
    perform([Step(lambda _: composed("dataset.count_staged", {"staging": sql.SQL("x")}, {}))], None)
    assert "runs the statement dataset.count_staged, which it does not name: please report this" in caplog.text


# --- the text


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_identifier_is_filled_in_and_every_value_named(merging, strategy, kind):
    case = merging(TABLE, change_feed=ChangeFeed("changes"))
    stream, [dataset] = datasets_to_show(case.ecosystem, PLATFORM[kind], "Store1", "customers")
    # These add statements, and leave none out.
    dataset = replace(dataset, on_delete=OnDelete.KEEP, keep_changes=5, valid_from="word" if kind is FORENSIC else None)
    dataset = as_read(dataset, strategy)
    text = rendered_sql(strategy, stream, dataset, stream.platform.merge_store)
    assert "%(" not in text
    assert not re.search(r"\{\w+\}", text)
    for name in printed(strategy, kind):
        if name.endswith(".keep_unlisted"):  # of an API
            continue
        for value in statement(name).values:
            assert f":{value}" in text
        for comment in re.findall("^--.*$", statement(name).text, re.MULTILINE):
            assert comment in text
    if strategy != "initial":
        assert (f"DELETE FROM {merge_table(kind)} m" in text) == (kind is LIVE)
    assert ("ds_batch_out" in text) == (kind is FORENSIC)


@pytest.mark.parametrize("name", ['a"b', "%(batch_id)s", "{merge}", "Zürich 雪", "back\\slash", "select", "it's"])
def test_names_and_literals_are_quoted_as_the_driver_does(new_database, name):
    with closing(new_database("store").connect()) as connection, connection.cursor() as cursor:
        for part in (sql.Identifier(name), sql.Identifier("public", name), sql.Literal(name), sql.Literal(7)):
            assert plain_text(part) == part.as_string(connection).strip()
        cursor.execute(plain_text(sql.SQL("SELECT {} AS {}").format(sql.Literal(name), sql.Identifier(name))))
        assert cursor.description[0].name == name
        assert cursor.fetchone() == (name,)


def test_a_name_that_looks_like_a_value_is_left_alone(merging):
    case = merging('CREATE TABLE "t %(batch_id)s {merge}" (id int PRIMARY KEY)')
    stream, [dataset] = datasets_to_show(case.ecosystem, "YellowForensic", "Store1", None)
    text = rendered_sql("full", stream, dataset, stream.platform.merge_store)
    assert '"public"."yellowforensic_Store1_t %(batch_id)s {merge}_merge" m SET ds_batch_out = :batch_id' in text


def test_only_the_datasets_that_the_platform_ingests_are_locked(merging):
    case = merging("; ".join(f"CREATE TABLE t{number} (id int PRIMARY KEY)" for number in range(5)))
    sinks = tuple(DatasetSink("Store1", name) for name in ("t3", "t1"))
    workspace = Workspace("W", (DatasetGroup("g", sinks),))
    assigned = [
        DsgMapping("g", "W", (Assignment("YellowLive", AssignmentStatus.PROVISIONED),)),
        DsgMapping("g", "W", (Assignment("YellowForensic", AssignmentStatus.DECOMMISSIONED),)),
    ]
    ecosystem = replace(case.ecosystem, workspaces=(workspace,))

    def locked(platform, dataset=None):
        stream, datasets = datasets_to_show(ecosystem, platform, "Store1", dataset, assigned)
        text = rendered_sql("full", stream, datasets[0], stream.platform.merge_store)
        return re.findall(r'"public"."(t\d)"', next(line for line in text.splitlines() if "ACCESS SHARE" in line))

    assert locked("YellowLive") == ["t1", "t3"]
    assert locked("YellowLive", "t3") == ["t1", "t3"]
    assert locked("YellowForensic") == ["t0", "t1", "t2", "t3", "t4"]  # nothing there: what a batch of all would lock
    with pytest.raises(ValueWrong) as caught:
        locked("YellowLive", "t0")
    assert (caught.value.option, caught.value.value) == ("--dataset", "t0")


def test_what_is_shown_can_be_run(merging):
    """A whole batch by hand: the store side as it is printed, with the values put in and the source's rows copied."""
    case = merging(TABLE)
    case.run(LIVE)
    case.execute("DELETE FROM customers WHERE id < 3; UPDATE customers SET word = 'x' WHERE id = 3")
    stream, [dataset] = datasets_to_show(case.ecosystem, "YellowLive", "Store1", None)
    text = rendered_sql("full", stream, dataset, stream.platform.merge_store)
    wanted = (
        "DROP TABLE",
        "CREATE UNLOGGED",
        "LOCK TABLE",
        "CREATE TEMPORARY",
        "ANALYZE",
        "DELETE",
        "UPDATE",
        "INSERT",
    )
    statements = [re.sub(r"^--.*\n", "", one, flags=re.MULTILINE).strip() for one in text.split(";\n")]
    apart = ("batch", "rejected_keys", "erased_keys", "_map", "IN ACCESS SHARE")
    by_hand = [one for one in statements if one.startswith(wanted) and not any(word in one for word in apart)]
    assert len(by_hand) == 9
    rows = case.source_rows(case.datasets[0])
    with closing(case.target.connect()) as connection, connection, connection.cursor() as cursor:
        for one in by_hand:
            cursor.execute(one)
            if one.startswith("CREATE UNLOGGED"):
                cursor.executemany(
                    'INSERT INTO "yellowlive_Store1_customers_staging" VALUES (%s, %s)', list(rows.values())
                )
    assert case.open_rows(LIVE, case.datasets[0]) == rows


def test_the_functions_of_a_forensic_table_can_be_made_from_what_is_shown(merging):
    case = merging(TABLE)
    case.run(FORENSIC)
    made = "SELECT prosrc, pg_get_function_result(oid) FROM pg_proc WHERE proname LIKE '%as\\_of' ORDER BY 1"
    before = case.query(made)
    assert len(before) == 2
    stream, [dataset] = datasets_to_show(case.ecosystem, "YellowForensic", "Store1", None)
    text = rendered_sql("as-of", stream, dataset, stream.platform.merge_store)
    function = '"yellowforensic_Store1_customers_merge_as_of"'
    case.execute(f"DROP FUNCTION {function}(integer); DROP FUNCTION {function}(timestamptz)", on=case.target)
    created = text[text.index("CREATE OR REPLACE") :]
    case.execute(created.replace(":comment", "NULL"), on=case.target)
    assert case.query(made) == before
    assert all(body in text for body, _ in before), "each query is shown by itself too, to be run as it is"


@pytest.mark.parametrize("strategy", ["initial", "full", "cursor"])
def test_what_a_cursor_has_is_shown_and_no_map(merging, strategy):
    case = merging("CREATE TABLE customers (id int PRIMARY KEY, changed timestamptz, gone timestamptz)")
    stream, [dataset] = datasets_to_show(case.ecosystem, "YellowLive", "Store1", None)
    cursor = Cursor("changed", tie_breaker="id", deleted_at="gone")
    text = rendered_sql(strategy, stream, replace(dataset, cursor=cursor), stream.platform.merge_store)
    assert not re.search(r"\{\w+\}", text)
    assert not re.search(r"(TABLE|INTO|FROM) \S+_map\"", text)
    assert '"gone" IS NOT NULL' in text
    by_value = '"changed" OPERATOR(pg_catalog.>=) :cursor::timestamp with time zone'
    assert (by_value in text) == (strategy == "cursor")
    assert "ds_keys" not in text, "there is no sweep in the model"
    for kind in (SourceKind.MYSQL, SourceKind.SQLITE):
        store = replace(stream.store, source=replace(stream.store.source, kind=kind))
        text = rendered_sql(
            strategy, replace(stream, store=store), replace(dataset, cursor=cursor), stream.platform.merge_store
        )
        assert (":cursor" in text) == (strategy == "cursor")


def test_a_dataset_without_a_cursor_has_no_such_strategy(merging):
    case = merging(TABLE)
    stream, [dataset] = datasets_to_show(case.ecosystem, "YellowLive", "Store1", None)
    with pytest.raises(UnknownName):
        rendered_sql("cursor", stream, dataset, stream.platform.merge_store)
    for strategy in ("initial", "full"):
        assert "cursor" not in rendered_sql(strategy, stream, dataset, stream.platform.merge_store)


def test_a_producer_elsewhere_is_read_in_its_dialect(merging):
    case = merging(TABLE)
    stream, [dataset] = datasets_to_show(case.ecosystem, "YellowLive", "Store1", None)
    for kind, lines in {
        SourceKind.MYSQL: [
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;",
            "SELECT id, word \nFROM customers;",
        ],
        SourceKind.SQLITE: ["BEGIN;", "SELECT id, word \nFROM customers;"],
    }.items():
        source = replace(stream.store.source, kind=kind)
        text = rendered_sql(
            "full", replace(stream, store=replace(stream.store, source=source)), dataset, stream.platform.merge_store
        )
        assert all(line in text for line in lines)
        assert "ACCESS SHARE" not in text


def test_only_a_producer_that_hashes_its_rows_is_read_by_hashes(merging):
    case = merging(TABLE)
    stream, [dataset] = datasets_to_show(case.ecosystem, "YellowLive", "Store1", None)

    def rendered(kind: SourceKind) -> str:
        store = replace(stream.store, source=replace(stream.store.source, kind=kind))
        return rendered_sql("key_hash_diff", replace(stream, store=store), dataset, stream.platform.merge_store)

    text = rendered(SourceKind.MYSQL)
    hashed = "CAST(CONV(LEFT(MD5(:line), 16), 16, -10) AS SIGNED)"
    assert f"SELECT CONCAT({hashed}, x'09', :key_line) \nFROM customers;" in text
    assert f"SELECT :line \nFROM customers \nWHERE `id` IN (:keys) AND {hashed} IN (:hashes);" in text
    with pytest.raises(UnknownName):
        rendered(SourceKind.SQLITE)


# --- the command


def command(folder, *flags):
    """With nothing in the environment: no secret, and a merge store that is nowhere."""
    return run_module("merge_jobs", "sql", *flags, f"--model={folder}", env={"PATH": os.environ["PATH"]})


@pytest.fixture
def folder(merging, tmp_path):
    case = merging(TABLE + "CREATE TABLE orders (id int PRIMARY KEY)")
    case.command(LIVE, tmp_path, "none")
    (tmp_path / "ecosystem.yaml").write_text(
        re.sub("host: .*", "host: nowhere.invalid", (tmp_path / "ecosystem.yaml").read_text())
    )
    return tmp_path


def test_the_command_needs_no_database_and_no_secret(folder):
    flags = ("--platform=YellowLive", "--store=Store1", "--dataset=customers")
    done = command(folder, "initial", "full", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("-- YellowLive Store1 customers: initial\n")
    assert "-- YellowLive Store1 customers: full\n" in done.stdout
    assert 'LOCK TABLE "public"."customers", "public"."orders" IN ACCESS SHARE MODE;' in done.stdout
    of_both = command(folder, "live", *flags[:2])
    assert of_both.stdout.count("-- find_delta\n") == 2
    assert "yellowlive_Store1_orders_merge" in of_both.stdout
    elsewhere = command(folder, "live", *flags, "--postgres-schema=other")
    assert 'DELETE FROM "other"."yellowlive_Store1_customers_merge" m' in elsewhere.stdout


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["sideways"], "dagfactory runs sql: there is no strategy 'sideways'. Choose from: full, initial, "),
        (["forensic"], "dagfactory runs sql: 'forensic' does not fit YellowLive, which is a live platform. "),
        (["as-of"], "dagfactory runs sql: 'as-of' does not fit YellowLive, which is a live platform. Choose from: "),
        (["full", "--store=Shop"], "--store: there is no datastore 'Shop'. Choose from: Store1"),
        (["full", "--platform=Yellow"], "--platform: there is no platform 'Yellow'. "),
        (["full", "--dataset=order"], "--dataset: there is no dataset 'order' in Store1. Did you mean 'orders'? "),
        (["full", "--git-repo-url=file:///x"], "--model: it is given together with --git-repo-url"),
    ],
)
def test_what_does_not_exist_is_named(folder, flags, what):
    done = command(folder, "--platform=YellowLive", "--store=Store1", *flags)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {what}")


def test_a_wrong_command_line_ends_with_2(folder):
    assert command(folder, "--platform=YellowLive", "--store=Store1").returncode == 2
    assert command(folder, "full").returncode == 2


def test_a_stream_of_one_dataset_wants_its_name(merging):
    case = merging(TABLE, consistency=Consistency.SINGLE_DATASET)
    with pytest.raises(OptionMissing) as caught:
        datasets_to_show(case.ecosystem, "YellowLive", "Store1", None)
    assert caught.value.options == ("--dataset",)
    stream, [dataset] = datasets_to_show(case.ecosystem, "YellowLive", "Store1", "customers")
    assert (stream.key, dataset.name) == ("Store1#customers", "customers")
