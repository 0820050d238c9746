"""`merge-job status`: what it says of streams that never ran, ran, failed, died, and are running."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import datetime

import pytest

from config_schema.model import Consistency, Milestoning
from merge_jobs.errors import SourceTableMissing
from merge_jobs.stores.postgres.merge_store import MergeStore
from tests.warm_python import run_module

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLES = """
    CREATE TABLE customers (id int PRIMARY KEY, word text);
    INSERT INTO customers SELECT n, 'word' FROM generate_series(1, 10) n;
    CREATE TABLE orders (id int PRIMARY KEY, customer int);
    INSERT INTO orders SELECT n, 1 FROM generate_series(1, 10) n;
"""


@pytest.fixture
def case(merging):
    return merging(TABLES)


@pytest.fixture
def reported(case, merge_job):
    """What `--json` says, by platform."""

    def run(*flags, of=None):
        done = merge_job(of or case, "status", "--json", *flags)
        found = {one["platform"]: one for one in json.loads(done.stdout)}
        states = {stream["state"] for one in found.values() for stream in one["streams"]}
        assert (done.returncode, done.stderr) == (1 if states & {"failing", "never_succeeded"} else 0, "")
        return found

    return run


def test_before_any_run_it_says_so(case, reported, merge_job):
    found = reported("--platform=YellowLive")
    assert datetime.fromisoformat(found["YellowLive"].pop("now")).utcoffset().total_seconds() == 0
    assert found == {
        "YellowLive": {
            "platform": "YellowLive",
            "merge_store": f"{case.target.name} on {case.target.server.host}:{case.target.server.port}",
            "batch_tables": False,
            "streams": [
                {
                    "key": "Store1",
                    "synced": None,
                    "last_checked_at": None,
                    "last": None,
                    "open": None,
                    "job": None,
                    "version_diff_off": {},
                    "key_hash_diff_off": {},
                    "lost_maps": [],
                    "failed": None,
                    "source_error": None,
                    "has_left": False,
                    "state": "never_run",
                }
            ],
        }
    }
    done = merge_job(case, "status")
    assert done.returncode == 0
    assert done.stdout.count("there are no batch tables yet: no job has run") == 2
    assert re.search(r"^ *Store1 +- +- +- +- +- +- +never +never +never run *$", done.stdout, re.MULTILINE)
    assert case.query("SELECT 1 FROM pg_class WHERE relname LIKE 'yellow%'") == [], "it only reads"


@pytest.mark.parametrize("kind", Milestoning)
def test_the_last_committed_batch_is_reported_with_its_own_counts(case, reported, merge_job, kind):
    platform = {LIVE: "YellowLive", FORENSIC: "YellowForensic"}[kind]
    case.run(kind, "one")
    case.execute("UPDATE orders SET customer = 2 WHERE id < 4; DELETE FROM customers WHERE id = 1")
    strategy = case.run(kind, "two", model_commit="abc").datasets["orders"].strategy
    case.run(kind, "found nothing")
    [stream] = reported()[platform]["streams"]
    [(checked,)] = case.query(f"SELECT last_checked_at FROM {platform.lower()}_batch_counter")
    [(began, ended, taken)] = case.query(
        f"""SELECT batch_start_time, batch_end_time, source_snapshot_time
            FROM {platform.lower()}_batch_metrics WHERE batch_id = 2"""
    )
    last = stream["last"]
    assert stream["open"] is None
    assert stream["job"] is None
    assert {name: last[name] for name in ("batch_id", "inserted", "updated", "deleted", "total")} == {
        "batch_id": 2,
        "inserted": 0,
        "updated": 3,
        "deleted": 1,
        "total": 19,
    }
    assert (last["strategy"], last["run_id"], last["model_commit"]) == (strategy, "two", "abc")
    times = [stream["last_checked_at"], last["started_at"], last["ended_at"], last["source_snapshot_time"]]
    assert [datetime.fromisoformat(time) for time in times] == [checked, began, ended, taken]
    assert last["seconds"] == (ended - began).total_seconds()

    shown = merge_job(case, "status", f"--platform={platform}").stdout
    assert re.search(
        rf"^ *Store1 +2 +\d+\.\d +0 +3 +1 +19 +{strategy} +{ended:%Y-%m-%d %H:%M:%S} ", shown, re.MULTILINE
    )


def test_a_failed_batch_is_reported_with_its_error_and_what_can_help(case, reported, merge_job):
    case.run(LIVE)
    case.execute("ALTER TABLE orders RENAME TO sales")
    with pytest.raises(SourceTableMissing) as failed:
        case.run(LIVE, "failing")
    [stream] = reported("--platform=YellowLive")["YellowLive"]["streams"]
    assert stream["last"]["batch_id"] == 1
    left = stream["open"]
    assert datetime.fromisoformat(left.pop("since")).utcoffset().total_seconds() == 0
    assert left == {
        "batch_id": 2,
        "status": "failed",
        "run_id": "failing",
        "error": str(failed.value),
        "retryable": False,
    }
    shown = merge_job(case, "status", "--platform=YellowLive").stdout
    assert "Store1 batch 2: failed since " in shown
    assert " by run failing\n" in shown
    assert f"\n  {failed.value}\n  a retry cannot help: fix it first\n" in shown


def test_a_stream_that_fails_is_failing_and_ends_the_command_with_1_until_a_run_succeeds(case, reported, merge_job):
    case.run(LIVE)
    case.execute("ALTER TABLE orders RENAME TO sales")
    with pytest.raises(SourceTableMissing):
        case.run(LIVE, "failing")
    [stream] = reported("--platform=YellowLive")["YellowLive"]["streams"]
    assert (stream["state"], stream["failed"]["count"]) == ("failing", 1)
    done = merge_job(case, "status", "--platform=YellowLive")
    assert done.returncode == 1
    assert re.search(
        r"^Store1 failing: its last run has failed: .*sales|orders.* \(No retry can help\)$", done.stdout, re.M
    )
    case.execute("ALTER TABLE sales RENAME TO orders")
    case.run(LIVE, "good")
    assert reported("--platform=YellowLive")["YellowLive"]["streams"][0]["state"] == "ok"


def test_a_batch_that_a_killed_job_left_is_reported(case, reported, merge_job, left_ingested):
    case.merge(LIVE)
    case.execute("UPDATE customers SET word = 'new' WHERE id = (SELECT min(id) FROM customers)")
    left_ingested(case, LIVE)
    [stream] = reported("--platform=YellowLive")["YellowLive"]["streams"]
    assert (stream["open"]["batch_id"], stream["open"]["status"], stream["open"]["run_id"]) == (2, "ingested", "killed")
    assert stream["open"]["error"] is None
    shown = merge_job(case, "status", "--platform=YellowLive").stdout
    assert "batch 2 ingested" in shown
    assert " by run killed, and no job is at it: the next run goes on from there\n" in shown
    merge_job(case, "reset", "--platform=YellowLive", "--store=Store1")
    shown = merge_job(case, "status", "--platform=YellowLive").stdout
    assert " by run killed, and no job is at it: the next run begins it again\n" in shown


def test_a_stream_that_a_job_holds_is_running(case, reported, merge_job):
    for kind in Milestoning:
        case.run(kind)
    job = case.job(FORENSIC, "at-work")
    with MergeStore(job.store, job.stream, "at-work") as store:
        store.lock_stream(0)
        platforms = reported()
        assert platforms["YellowLive"]["streams"][0]["job"] is None
        assert re.fullmatch(
            r"pid \d+ \(merge-job yellowforensic Store1 at-work\)", platforms["YellowForensic"]["streams"][0]["job"]
        )
        shown = merge_job(case, "status").stdout
        assert shown.count("running") == 1
        assert "Store1: held by pid" in shown


def test_streams_of_one_dataset_each_and_of_one_store_only(merging, reported, merge_job):
    case = merging(TABLES, consistency=Consistency.SINGLE_DATASET)
    case.run(LIVE, dataset="orders")
    [customers, orders] = reported("--store=Store1", of=case)["YellowLive"]["streams"]
    assert (customers["key"], customers["last"]) == ("Store1#customers", None)
    assert (orders["key"], orders["last"]["inserted"]) == ("Store1#orders", 10)
    done = merge_job(case, "status", "--store=Shop")
    assert (done.returncode, done.stderr) == (
        1,
        "error: --store: there is no datastore 'Shop'. Choose from: Store1 [DF1003]\n",
    )


def test_where_streams_are_synced_these_are_reported_with_their_status(case, reported, merge_job):
    case.execute(
        """CREATE TABLE yellowlive_airflow_dsg (stream_key text, status text);
           INSERT INTO yellowlive_airflow_dsg
           VALUES ('Store1', 'paused'), ('Store2', 'active'), ('Store3', 'retired')""",
        on=case.target,
    )
    case.run(LIVE)
    assert [(s["key"], s["synced"]) for s in reported()["YellowLive"]["streams"]] == [
        ("Store1", "paused"),
        ("Store2", "active"),
    ]
    assert "Store1 (paused)" in merge_job(case, "status").stdout
    case.execute("UPDATE yellowlive_airflow_dsg SET status = 'retired' WHERE stream_key = 'Store1'", on=case.target)
    assert [s["key"] for s in reported()["YellowLive"]["streams"]] == ["Store2"]
    assert merge_job(case, "status").stdout.endswith("\n1 retired left out (--all)\n")
    whole = merge_job(case, "status", "--all")
    assert "Store1 (retired)" in whole.stdout  # it has batches
    assert "left out" not in whole.stdout


def test_a_stream_that_has_left_the_model_is_reported_by_its_batches(case, reported):
    case.run(LIVE)
    case.execute(
        """INSERT INTO yellowlive_batch_metrics (key, batch_id, batch_start_time, batch_status, state, run_id)
           SELECT k, n, now(), 'failed', '{}', 'old'
           FROM unnest(ARRAY['Gone', 'Also gone']) k, generate_series(1, 5) n""",
        on=case.target,
    )
    assert [(s["key"], s["open"] and s["open"]["batch_id"]) for s in reported()["YellowLive"]["streams"]] == [
        ("Also gone", 5),
        ("Gone", 5),
        ("Store1", None),
    ]


def test_a_platform_that_cannot_be_read_does_not_hide_the_others(case, merge_job):
    case.run(FORENSIC)
    case.run(LIVE)
    case.execute(
        """DROP TABLE yellowlive_batch_counter;
           CREATE VIEW yellowlive_batch_counter AS SELECT 1 AS nothing""",
        on=case.target,
    )
    done = merge_job(case, "status", "--json")
    assert done.returncode == 1
    assert [one["platform"] for one in json.loads(done.stdout)] == ["YellowForensic"]
    assert re.match(r"error: merge store \S+: column .* does not exist", done.stderr)


def test_the_model_may_be_the_commit_that_sync_recorded(case, tmp_path):
    case.run(LIVE)
    case.command(LIVE, tmp_path, "none")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@x.example"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "model"]):
        subprocess.run([*git, *arguments], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    case.execute(
        f"""CREATE TABLE yellowlive_model_state (id int, model_commit text);
            INSERT INTO yellowlive_model_state VALUES (1, '{commit}')""",
        on=case.target,
    )

    def status(*flags):
        given = (f"--git-repo-url=file://{tmp_path}", "--json", *flags)
        return run_module("merge_jobs", "status", *given, env={**case.environment, "HOME": str(tmp_path)})

    place = case.target.server
    store = (
        f"--postgres-host={place.host}",
        f"--postgres-port={place.port}",
        f"--postgres-database={case.target.name}",
        "--postgres-credential=postgres",
    )
    done = status("--platform=YellowLive", *store)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)[0]["streams"][0]["last"]["batch_id"] == 1
    assert "Give --postgres-host, --postgres-database" in status("--platform=YellowLive").stderr
    assert "Give --platform" in status(*store).stderr


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--platform=Yellow"], "--platform: there is no platform 'Yellow'. "),
        (["--postgres-database=nowhere"], 'database "nowhere" does not exist'),
        (["--postgres-credential=other"], "OTHER_USERNAME is not set"),
        (["--git-repo-url=file:///x"], "it is given together with"),
    ],
)
def test_what_does_not_exist_is_named(case, merge_job, flags, what):
    done = merge_job(case, "status", *flags)
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert what in done.stderr


def test_an_option_that_does_not_exist_ends_with_2(case, merge_job):
    assert merge_job(case, "status", "--verbose").returncode == 2
