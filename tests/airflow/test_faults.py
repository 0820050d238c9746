"""Database away, table lost, rows gone or broken: under a real dag-processor no DAG vanishes, and no DAG changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

ONE, TWO = "yellowlive__Store1_ingestion", "yellowlive__Store2_ingestion"
NOBODY = "postgresql://reader:secret%20word@127.0.0.1:1/merge"
TABLE = "yellowlive_airflow_dsg"


@pytest.fixture
def parsed(real_airflow, streams, config):
    """Two streams of YellowLive, parsed once; calling it parses again and gives what the DAG file logged."""
    streams.settle("YellowLive", runners=("process",))
    streams.write("YellowLive", config("YellowLive", schedule="@daily"), config("YellowLive", "Store2"))

    def parse(**environment: str) -> str:
        shutil.rmtree(real_airflow.home / "logs" / "dag_processor", ignore_errors=True)
        real_airflow.began = time.time()
        real_airflow.parse(**environment)
        return reported(real_airflow)

    parse()
    assert real_airflow.dag_ids() == [ONE, TWO]
    assert real_airflow.import_errors() == []
    return parse


def reported(real_airflow) -> str:
    files = (real_airflow.home / "logs" / "dag_processor").rglob("*.log")
    return "\n".join(json.loads(line)["event"] for file in files for line in file.read_text().splitlines() if line)


def hashes(real_airflow) -> dict[str, str]:
    return dict(real_airflow.query("SELECT dag_id, dag_hash FROM serialized_dag ORDER BY last_updated"))


def change(dsn: str, statement: str) -> None:
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("fault", ["away", "table missing", "table empty", "no DSN"])
def test_whatever_becomes_of_the_table_the_dags_stay_exactly_as_they_were(
    parsed, real_airflow, streams, new_database, fault
):
    before, versions = hashes(real_airflow), real_airflow.versions()
    elsewhere: Callable[[], str] = {
        "away": lambda: NOBODY,
        "table missing": lambda: new_database("empty").dsn,
        "table empty": lambda: streams.dsn,
        "no DSN": lambda: "",
    }[fault]
    if fault == "table empty":
        change(streams.dsn, f"DELETE FROM {TABLE}")
    log = parsed(DAGFACTORY_YELLOWLIVE_DSN=elsewhere())

    assert real_airflow.import_errors() == []
    assert real_airflow.dag_ids() == [ONE, TWO]
    assert (hashes(real_airflow), real_airflow.versions()) == (before, versions)
    assert "secret" not in log
    if fault == "table empty":
        assert f"Store1 is quarantined, its DAG stays as it was last good: {TABLE}[Store1]: the row is gone" in log
    else:
        assert "the stream table cannot be read; the DAGs are those of the snapshot of" in log


def test_a_stream_whose_row_is_gone_goes_only_when_accepted_and_one_that_is_retired_at_once(
    parsed, real_airflow, streams, config
):
    change(streams.dsn, f"DELETE FROM {TABLE} WHERE stream_key = 'Store1'")
    streams.write("YellowLive", config("YellowLive", "Store2"), status="retired")
    parsed()
    shown = dagfactory(real_airflow, "platform", "last-good", "--platform", "YellowLive")
    assert "Store1\tgone, its DAG stays" in shown
    assert "1 streams, 1 gone" in shown
    assert stored_streams(real_airflow) == {ONE}

    assert (
        dagfactory(real_airflow, "platform", "last-good", "--forget", "--platform", "YellowLive")
        == "Store1: forgotten\n"
    )
    parsed()
    assert stored_streams(real_airflow) == set()
    streams.write("YellowLive", config("YellowLive"))
    parsed()
    assert stored_streams(real_airflow) == {ONE}


def stored_streams(real_airflow) -> set[str]:
    """The streams' DAGs that the last pass of the dag-processor has stored."""
    rows = real_airflow.query("SELECT dag_id FROM dag WHERE last_parsed_time > to_timestamp(%s)", real_airflow.began)
    return {dag_id for (dag_id,) in rows if dag_id.endswith("_ingestion")}


def dagfactory(real_airflow, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("dagfactory")), *arguments]
    return subprocess.run(command, env=real_airflow.environment, capture_output=True, text=True, check=True).stdout


def test_a_row_that_is_broken_later_keeps_its_last_good_dag_also_when_the_database_goes_away_then(
    parsed, real_airflow, streams, config
):
    before = hashes(real_airflow)
    streams.write_text("YellowLive", ("Store1", '{"stream_key": "Store1"', "active"))
    streams.write("YellowLive", config("YellowLive", "Store3"))
    for dsn in (streams.dsn, NOBODY):
        log = parsed(DAGFACTORY_YELLOWLIVE_DSN=dsn)
        assert f"Store1 is quarantined, its DAG stays as it was last good: {TABLE}[Store1]: not JSON" in log
        after = hashes(real_airflow)
        assert after.pop("yellowlive__Store3_ingestion")
        assert after == before
    streams.write("YellowLive", config("YellowLive", schedule="@hourly"))
    parsed()
    assert hashes(real_airflow)[ONE] != before[ONE]


def test_a_snapshot_that_is_not_whole_is_not_believed_and_is_replaced_once_the_table_answers(parsed, real_airflow):
    (snapshot,) = real_airflow.snapshots.glob("*.snapshot")
    snapshot.write_text(snapshot.read_text().replace("@daily", "@hourly"))
    log = parsed(DAGFACTORY_YELLOWLIVE_DSN=NOBODY)
    assert "the last-good snapshot is not used" in log
    (error,) = real_airflow.import_errors()
    assert "nobody listens there" in error
    assert "there is no last-good snapshot" in error
    assert "secret" not in error

    parsed()
    assert real_airflow.import_errors() == []
    parsed(DAGFACTORY_YELLOWLIVE_DSN=NOBODY)
    assert real_airflow.import_errors() == []
    assert real_airflow.dag_ids() == [ONE, TWO]


@pytest.mark.parametrize("text", [None, '{"original_platform_name": "YellowLive", ', '{"runner": "process"}'])
def test_a_settings_file_that_is_gone_or_broken_leaves_the_settings_last_parsed_by_at_work(parsed, real_airflow, text):
    before = hashes(real_airflow)
    (file,) = (real_airflow.home / "settings").glob("*.json")
    whole = file.read_text()
    file.unlink()
    if text is not None:
        file.write_text(text)
    log = parsed()
    assert f"the settings are those that were last parsed by: {file}" in log
    assert real_airflow.import_errors() == []
    assert hashes(real_airflow) == before
    assert stored_streams(real_airflow) == {ONE, TWO}
    file.write_text(whole)
    assert "last parsed by" not in parsed()


def test_within_cache_ttl_the_merge_store_is_not_asked(parsed, real_airflow, streams, config):
    streams.settle("YellowLive", runners=("process",), cache_ttl=3600)
    streams.write("YellowLive", config("YellowLive", "Store3"))
    parsed(DAGFACTORY_YELLOWLIVE_DSN=NOBODY)
    assert stored_streams(real_airflow) == {ONE, TWO}
    (snapshot,) = real_airflow.snapshots.glob("*.snapshot")
    os.utime(snapshot, (0, 0))
    parsed()
    assert stored_streams(real_airflow) == {ONE, TWO, "yellowlive__Store3_ingestion"}


def test_shards_share_the_streams_and_the_snapshot(parsed, real_airflow):
    factory = real_airflow.dags_folder / "yellowlive_factory.py"
    text = factory.read_text()
    factory.unlink()
    for number in (1, 2, 3):
        part = text.replace('platform="YellowLive"', f'platform="YellowLive", shard="{number}/3"')
        (real_airflow.dags_folder / f"yellowlive_factory_{number}_of_3.py").write_text(part)
    seen = []
    for away in ({}, {"DAGFACTORY_YELLOWLIVE_DSN": NOBODY}):
        parsed(**away)
        assert real_airflow.import_errors() == []
        rows = real_airflow.query("SELECT dag_id, relative_fileloc FROM dag WHERE NOT is_stale")
        files = {dag_id: file for dag_id, file in rows if dag_id.endswith("_ingestion")}
        assert files.keys() == {ONE, TWO}
        assert set(files.values()) <= {f"yellowlive_factory_{number}_of_3.py" for number in (1, 2, 3)}
        seen.append((files, hashes(real_airflow)))
    assert seen[0] == seen[1]


WORKER = """
import logging, sys, time
import airflow.settings  # which sets up logging, where a worker has it before
from airflow_plugin.rows import stream_loader
from airflow_plugin.factory import publish
logging.basicConfig(stream=sys.stdout, format="%(message)s", force=True)
stream_loader.WORKER_SECONDS, stream_loader.WORKER_PAUSE = 2.0, 0.2
namespace = {}
try:
    publish(namespace, platform="YellowLive")
except Exception as error:
    print(f"{type(error).__name__}: {error} (retryable: {getattr(error, 'retryable', None)})")
print(sorted(namespace))
"""


def worker(real_airflow, dag_id: str = ONE, **environment: Any) -> str:
    """What a worker's parse gives, in a process with the context that Airflow sets for a task."""
    context = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": dag_id, "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "snapshot_merge_job"}
    everything = real_airflow.environment | context | environment
    done = subprocess.run([sys.executable, "-c", WORKER], env=everything, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_worker_reads_its_row_or_goes_by_the_snapshot_or_tries_and_then_fails_for_a_retry(
    parsed, real_airflow, streams, tmp_path
):
    assert worker(real_airflow).endswith(f"['{ONE}']\n")
    # A snapshot on the worker's machine.
    assert worker(real_airflow, DAGFACTORY_YELLOWLIVE_DSN=NOBODY).endswith(f"['{ONE}']\n")
    # None.
    nowhere = {"DAGFACTORY_SNAPSHOT_DIR": str(tmp_path)}
    assert worker(real_airflow, **nowhere).endswith(f"['{ONE}']\n")
    said = worker(real_airflow, **nowhere, DAGFACTORY_YELLOWLIVE_DSN=NOBODY)
    assert said.count("trying again") >= 3
    assert "MergeStoreError: DAGFACTORY_YELLOWLIVE_DSN: nobody listens there" in said
    assert "(retryable: True)\n[]\n" in said

    change(streams.dsn, f"UPDATE {TABLE} SET config_json = '{{' WHERE stream_key = 'Store1'")
    assert worker(real_airflow).endswith(f"['{ONE}']\n")
    assert "not JSON" in worker(real_airflow, **nowhere)
    change(streams.dsn, f"UPDATE {TABLE} SET status = 'retired' WHERE stream_key = 'Store1'")
    assert "yellowlive_airflow_dsg has no such stream any more" in worker(real_airflow)
