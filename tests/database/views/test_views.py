"""Consumers' views as consumers query them: current rows, all versions, and the rows as they were at a time."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from config_schema.model import Classification, Milestoning, OnDelete

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = """CREATE TABLE t (id int PRIMARY KEY, "firstName" text, "100%" numeric(6,2));
           INSERT INTO t SELECT n, 'w' || n, n FROM generate_series(1, 5) n"""


def test_live_views_of_both_platforms_are_the_source(consuming):
    case = consuming(TABLE)
    case.bring()
    reader = case.reader()
    for kind in Milestoning:
        assert reader.query(f"SELECT * FROM {case.name(kind, 'live')} ORDER BY id") == case.merging.query(
            "SELECT * FROM t ORDER BY id", on=case.merging.source
        )
    case.changed("DELETE FROM t WHERE id < 3; UPDATE t SET \"firstName\" = 'new'")
    for kind in Milestoning:
        live = reader.query(f'SELECT id, "firstName" FROM {case.name(kind, "live")} ORDER BY id')
        assert live == [(3, "new"), (4, "new"), (5, "new")]


def test_the_full_view_has_every_version_with_its_times(consuming):
    case = consuming(TABLE)
    case.bring()
    case.changed("UPDATE t SET \"firstName\" = 'two' WHERE id = 1")
    case.changed("DELETE FROM t WHERE id = 1")
    times = dict(case.query("SELECT batch_id, source_snapshot_time FROM yellowforensic_batch_metrics"))
    versions = case.reader().query(
        f"""SELECT "firstName", ds_batch_in, ds_batch_out, ds_valid_from, ds_valid_to
            FROM {case.name(FORENSIC, "full")} WHERE id IN (1, 2) ORDER BY id, ds_batch_in"""
    )
    assert versions == [
        ("w1", 1, 2, times[1], times[2]),
        ("two", 2, 3, times[2], times[3]),
        ("w2", 1, 2147483647, times[1], None),
    ]


def test_the_as_of_function_gives_what_the_source_was_and_needs_no_right_on_a_table(consuming):
    case = consuming(TABLE)
    case.bring()
    reader, truth = case.reader(), {}
    for word in ("a", "b", "c"):
        case.changed(f"UPDATE t SET \"firstName\" = '{word}' WHERE id = 2; DELETE FROM t WHERE id = {ord(word) - 94}")
        (at,) = case.query("SELECT max(source_snapshot_time) FROM yellowforensic_batch_metrics")[0]
        truth[at] = case.merging.query("SELECT * FROM t ORDER BY id", on=case.merging.source)
        time.sleep(0.002)
    assert len({len(of) for of in truth.values()}) == 3
    function = case.name(FORENSIC, "asof")

    def at(moment: datetime) -> list:
        return reader.query(f"SELECT * FROM {function}(timestamptz '{moment.isoformat()}') ORDER BY id")

    for moment, then in truth.items():
        assert at(moment) == then
        assert at(moment - timedelta(microseconds=1)) != then
    assert at(max(truth) + timedelta(days=1)) == truth[max(truth)]
    assert at(min(truth) - timedelta(days=1)) == []


def test_rows_that_are_kept_after_their_source_lost_them_say_so(consuming):
    case = consuming(TABLE)
    of = case.merging
    case.bring()
    reader = case.reader()
    of.datasets = tuple(replace(one, on_delete=OnDelete.KEEP) for one in of.datasets)
    of.execute("DELETE FROM t WHERE id = 1; UPDATE t SET \"firstName\" = 'new' WHERE id = 2")
    for kind in Milestoning:
        assert of.run(kind).shape_changed
    case.reconcile()
    for kind in Milestoning:
        live = f'SELECT id, "firstName", ds_deleted_in FROM {case.name(kind, "live")} WHERE id < 4 ORDER BY 1'
        assert reader.query(live) == [(1, "w1", 2), (2, "new", None), (3, "w3", None)]
    full = f"SELECT id, ds_deleted_in, ds_batch_out FROM {case.name(FORENSIC, 'full')} WHERE id < 3"
    versions = [(1, 2, 2147483647), (2, None, 2), (2, None, 2147483647)]
    assert reader.query(f"{full} ORDER BY id, ds_batch_in") == versions
    # What the source was: without them, and without the column.
    found = reader.query(f"SELECT * FROM {case.name(FORENSIC, 'asof')}(now()) ORDER BY id")
    assert found == of.query("SELECT * FROM t ORDER BY id", on=of.source)


def test_versions_are_valid_from_the_time_that_the_source_says(consuming):
    case = consuming("CREATE TABLE t (id int PRIMARY KEY, word text, at timestamp NOT NULL)")
    of = case.merging
    case.bring()
    of.execute("INSERT INTO t SELECT n, 'x', '2026-01-01 12:00' FROM generate_series(1, 2) n")
    of.run(FORENSIC)
    of.datasets = tuple(replace(one, valid_from="at") for one in of.datasets)
    (seen,) = case.query("SELECT max(source_snapshot_time) FROM yellowforensic_batch_metrics")[0]
    reader, full = case.reader(), case.name(FORENSIC, "full")
    times = f"SELECT id, word, ds_valid_from, ds_valid_to FROM {full} ORDER BY id, ds_batch_in"
    case.bring()  # until a batch has given versions their times, batches say them
    assert reader.query(times) == [(1, "x", seen, None), (2, "x", seen, None)]
    of.execute("UPDATE t SET word = 'y', at = '2026-01-02 12:00' WHERE id = 1")
    assert of.run(FORENSIC).shape_changed
    case.bring()
    first, second = (datetime(2026, 1, day, 12, tzinfo=UTC) for day in (1, 2))
    assert reader.query(times) == [(1, "x", first, second), (1, "y", second, None), (2, "x", first, None)]
    function = case.name(FORENSIC, "asof")

    def at(moment: datetime) -> list:
        return reader.query(f"SELECT id, word FROM {function}(timestamptz '{moment.isoformat()}') ORDER BY id")

    assert at(first - timedelta(microseconds=1)) == []
    assert at(second - timedelta(microseconds=1)) == [(1, "x"), (2, "x")]
    assert at(second) == at(datetime.now(UTC)) == [(1, "y"), (2, "x")]
    # As without it, once the model has it no more.
    of.datasets = tuple(replace(one, valid_from=None) for one in of.datasets)
    of.run(FORENSIC)
    case.bring()
    assert {row[2] for row in reader.query(times)} == {
        time
        for (time,) in case.query("SELECT source_snapshot_time FROM yellowforensic_batch_metrics WHERE batch_id > 1")
    }


def test_who_may_not_see_the_column_sees_the_times_of_batches(consuming):
    case = consuming(
        "CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL); INSERT INTO t VALUES (1, '2026-01-01')", pii={"at"}
    )
    of = case.merging
    case.may_see = {"Desk": (Classification.INTERNAL,)}
    of.datasets = tuple(replace(one, valid_from="at") for one in of.datasets)
    of.run(FORENSIC)
    case.bring()
    (batch,) = case.query("SELECT source_snapshot_time FROM yellowforensic_batch_metrics")[0]
    reader = case.reader()
    shown = reader.query(f"SELECT id, at, ds_valid_from FROM {case.name(FORENSIC, 'full')}")
    assert shown == [(1, None, batch)]
    function = case.name(FORENSIC, "asof")
    assert reader.query(f"SELECT id FROM {function}(timestamptz '2026-01-02 00:00+00')") == []
    assert reader.query(f"SELECT id FROM {function}(now())") == [(1,)]


def test_a_filter_on_the_key_reaches_the_indexes_of_the_merge_table(consuming):
    case = consuming("CREATE TABLE t (id int PRIMARY KEY, word text)")
    for word in "abc":
        case.changed(
            f"""INSERT INTO t SELECT n, '' FROM generate_series(1, 9000) n ON CONFLICT DO NOTHING;
                UPDATE t SET word = '{word}'"""
        )
    case.execute('ANALYZE "yellowforensic_Store1_t_merge"')
    case.bring()
    reader = case.reader()
    for what in (case.name(FORENSIC, "full"), f"{case.name(FORENSIC, 'asof')}(now())"):
        plan = "\n".join(line for (line,) in reader.query(f"EXPLAIN SELECT word FROM {what} WHERE id = 77"))
        assert "yellowforensic_Store1_t_merge_key" in plan
        assert "yellowforensic_Store1_t_merge_past" in plan
        assert 'Seq Scan on "yellowforensic_Store1_t_merge"' not in plan
    assert "batch_metrics" not in "\n".join(
        line for (line,) in reader.query(f"EXPLAIN SELECT word FROM {case.name(FORENSIC, 'full')} WHERE id = 77")
    )


def test_nothing_is_made_before_something_was_merged(consuming, merging):
    case = consuming(TABLE)
    case.merging.target = merging(TABLE).target
    (found,) = case.reconcile()
    assert found.plan.changes == ()
    assert "nothing has been merged yet" in found.plan.notes[0]


def test_long_names_are_cut_at_63_bytes_and_stay_apart(consuming):
    space, group = "W" * 90, "Group" * 12
    case = consuming(TABLE, groups={space: {group: ("t",), group + "x": ("t",)}})
    case.bring()
    schema = case.query(
        "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname LIKE 'ws_W%'"
    )
    assert len({name for (name,) in schema}) == 2 * 3 + 3
    assert all(len(name) <= 63 for (name,) in schema)
    assert case.reader(space, group).query(f"SELECT count(*) FROM {case.name(LIVE, 'live', space, group)}") == [(5,)]


def test_freshness_says_for_each_dataset_how_old_it_is_and_whether_that_will_do(consuming):
    case = consuming(TABLE, latency=3600)
    case.bring()
    query = """SELECT platform, dataset, last_batch, latency, met, age < interval '1 hour'
               FROM "ws_Desk".freshness ORDER BY 1"""
    expected = [(name, "t", 1, timedelta(hours=1), True, True) for name in ("YellowForensic", "YellowLive")]
    reader = case.reader()
    assert reader.query(query) == expected
    views = [name for (name,) in reader.query('SELECT view_name FROM "ws_Desk".freshness ORDER BY platform')]
    assert views == [case.name(one, "live").split('"')[-2] for one in (FORENSIC, LIVE)]
    for table in ("yellowlive_batch_counter SET last_checked_at", "yellowlive_batch_metrics SET batch_end_time"):
        case.execute(f"UPDATE {table} = now() - interval '2 hours'")
    assert reader.query(query)[1][4:] == (False, False)
    # A clock that was set back: a batch that lies ahead of it does not hide that nobody looks any more.
    case.execute("UPDATE yellowlive_batch_metrics SET batch_end_time = now() + interval '2 hours'")
    assert reader.query(query)[1][4:] == (False, False)
    case.execute("UPDATE yellowlive_batch_counter SET last_checked_at = now() + interval '2 hours'")
    assert reader.query(query)[1][4:] == (False, True)
    assert reader.query("SELECT min(age) >= interval '0' FROM \"ws_Desk\".freshness") == [(True,)]
    case.execute("UPDATE yellowlive_batch_counter SET last_checked_at = now() + interval '10 seconds'")
    assert reader.query(query)[1][4:] == (True, True)
    case.latency = None
    assert len(case.bring()) == 1
    assert [row[3:5] for row in reader.query(query)] == [(None, None)] * 2


AS_BEFORE = """DO $$
    DECLARE query text := rtrim(pg_get_viewdef('"ws_Desk".freshness'::regclass), ';');
        mark text := replace(obj_description('"ws_Desk".freshness'::regclass), '"definition": "', '"definition": "0');
    BEGIN
        DROP VIEW "ws_Desk".freshness;
        EXECUTE 'CREATE VIEW "ws_Desk".freshness AS SELECT dataset_group, platform, datastore, dataset, last_batch,'
            || ' last_batch_at, fresh_at, age, latency, met FROM (' || query || ') now';
        EXECUTE format('COMMENT ON VIEW "ws_Desk".freshness IS %L', mark);
    END $$"""


def test_freshness_of_an_earlier_version_gets_the_name_of_the_view_and_what_stands_on_it_stays(consuming):
    case = consuming(TABLE)
    case.bring()
    case.execute(AS_BEFORE)
    case.execute('CREATE VIEW public.of_a_stranger AS SELECT * FROM "ws_Desk".freshness')
    case.bring()
    query = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 9 ORDER BY attnum"
    assert case.query(query.replace("%s", "'\"ws_Desk\".freshness'")) == [("met",), ("view_name",)]
    assert len(case.query("SELECT * FROM public.of_a_stranger")) == 2
