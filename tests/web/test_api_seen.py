"""Changed rows and a dag-processor that parses files once an hour: it is asked to, and it is shown when it has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_plugin.bootstrap.platform_files import platform_settings
from config_schema import names
from config_schema.load import load_model
from tests.airflow.conftest import config
from tests.airflow.platform_world import MODEL
from tests.airflow.running_processor import RunningProcessor, running_processor
from tests.web.world import World

STORED = 90.0  # seconds that a change may take on a machine that does much else
UPDATE_SECONDS, STALE_SECONDS = 6, 3
FILE = "yellowlive_factory.py"
SETTINGS = {
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": str(UPDATE_SECONDS),
    "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": str(STALE_SECONDS),
    "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__PARSING_CLEANUP_INTERVAL": "1",
}
DATASTORES = """
  - name: {name}
    source: {{host: pg, database: customer_db, credential: customer-db}}
    datasets: [{{name: customers, primary_key: [id], columns: [{{name: id, type: integer, nullable: false}}]}}]
"""


@dataclass
class Parsed:
    """The world with a dag-processor beside it."""

    world: World
    processor: RunningProcessor

    def wait(self, what: str, seen: Callable[[], Any], seconds: float = STORED) -> Any:
        return self.processor.wait(what, seen, seconds)

    def stored_schedule(self, dag_id: str) -> str | None:
        """The stored DAG's own word, not that of the `dag` table, which Airflow writes even where it stores nothing."""
        query = (
            "SELECT s.data -> 'dag' -> 'timetable' -> '__var' ->> 'expression' FROM serialized_dag s"
            " JOIN dag_version v ON v.id = s.dag_version_id WHERE s.dag_id = %s ORDER BY v.version_number DESC LIMIT 1"
        )
        found = self.world.real.query(query, dag_id)
        return found[0][0] if found else None

    def parses(self, file: str = FILE) -> Any:
        ((at,),) = self.world.real.query("SELECT max(last_parsed_time) FROM dag WHERE relative_fileloc = %s", file)
        return at

    def dagfactory(self, *arguments: str, user: str = "admin", **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("dagfactory")), *arguments]
        dsns = {
            names.dsn_variable(names.platform_name(one)): self.world.merge_dsn
            for one in ("YellowLive", "YellowForensic")
        }
        asking = {"DAGFACTORY_AIRFLOW_URL": self.world.address, "DAGFACTORY_AIRFLOW_TOKEN": self.world.token(user)}
        whole = {**os.environ, **self.world.real.environment, **dsns, **asking, **environment}
        return subprocess.run(command, env=whole, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def parsed(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parsed]:
    began = world.real.query("SELECT now()")[0][0]
    with running_processor(world.real, tmp_path_factory.mktemp("seen"), SETTINGS) as processor:
        one = Parsed(world, processor)
        for file in (FILE, "yellowforensic_factory.py"):
            one.wait(f"the first pass of {file}", lambda file=file: one.parses(file) > began, 300)
        yield one
    world.put_back()
    world.real.parse()  # what other tests find as it was


def row(store: str, **changes: Any) -> dict[str, Any]:
    return config("YellowLive", store, **changes)


def change(api: Any, key: str, **changes: Any) -> dict[str, Any]:
    """Save another config, as the form does."""
    now = api.get(f"/api/streams/yellowlive/{key}").json()
    body = {"config": {**now["config"], **changes}, "version": now["version"]}
    answer = api.put(f"/api/streams/yellowlive/{key}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def seen(api: Any, key: str) -> dict[str, Any]:
    return api.get(f"/api/streams/yellowlive/{key}").json()["airflow"]


def is_stored(api: Any, key: str) -> Callable[[], bool]:
    return lambda: seen(api, key)["state"] == "stored"


def test_an_edit_is_stored_soon_and_shown_as_waiting_until_then(client, parsed):
    api = client()
    said = change(api, "Store1", schedule="11 1 * * *")
    assert said["parse"] == {"files": [FILE], "note": None}
    assert said["airflow"]["state"] == "waiting"
    assert FILE in said["airflow"]["what"]
    parsed.wait("the change", is_stored(api, "Store1"))
    assert parsed.stored_schedule("yellowlive__Store1_ingestion") == "11 1 * * *"
    (listed,) = api.get("/api/streams?dag_id=yellowlive__Store1_ingestion").json()["streams"]
    assert listed["airflow"] == {"state": "stored", "what": None, "todo": None}


def test_a_row_that_nobody_asked_for_waits_for_the_next_pass_until_somebody_asks(client, parsed):
    api = client()
    for minute in range(12, 60):
        before = parsed.parses()
        schedule = f"{minute} 1 * * *"
        parsed.world.write("YellowLive", row("Store2", schedule=schedule))
        time.sleep(5)  # longer than what is asked for takes
        waiting = seen(api, "Store2")["state"] == "waiting"
        if parsed.parses() == before:  # else it was a late pass that the test before this one had asked for
            break
    assert waiting
    assert parsed.stored_schedule("yellowlive__Store2_ingestion") != schedule
    fingerprints = {"Store2": "0" * 12, "Nothing": None}  # a config that the row does not have
    said = api.post("/api/platforms/yellowlive/seen", json={"streams": fingerprints, "ask": True}).json()
    assert said["parse"]["files"] == [FILE]
    assert [one["stream_key"] for one in said["unseen"]] == ["Store2"]
    parsed.wait("the change", is_stored(api, "Store2"))
    assert parsed.stored_schedule("yellowlive__Store2_ingestion") == schedule


def test_two_edits_within_airflows_interval_of_storing_are_both_stored(client, parsed):
    """Airflow does not store a DAG again that it stored some seconds ago, though it parses its file."""
    api = client()
    for minute in (21, 22):
        change(api, "Store1", schedule=f"{minute} 1 * * *")
        schedule = f"{minute} 1 * * *"
        parsed.wait(
            "the change", lambda schedule=schedule: parsed.stored_schedule("yellowlive__Store1_ingestion") == schedule
        )
    assert is_stored(api, "Store1")()


def test_a_new_stream_comes_and_a_retired_one_goes(client, parsed):
    api = client()
    said = api.post("/api/streams/yellowlive", json={"config": row("Fresh", schedule="13 1 * * *")}).json()
    assert said["airflow"]["state"] == "waiting"
    parsed.wait("the new DAG", is_stored(api, "Fresh"))
    assert "yellowlive__Fresh_ingestion" in parsed.world.real.dag_ids()
    said = api.delete("/api/streams/yellowlive/Fresh").json()
    assert said["parse"] == {"files": [FILE], "note": None}
    assert seen(api, "Fresh")["what"] == "Airflow still has its DAG"
    parsed.wait("the DAG has gone", is_stored(api, "Fresh"))
    assert "yellowlive__Fresh_ingestion" not in parsed.world.real.dag_ids()


def test_pausing_and_resuming_are_stored(client, parsed):
    api = client()
    for action, schedule in (("pause", None), ("resume", "31 1 * * *")):
        if action == "pause":
            change(api, "Store1", schedule="31 1 * * *")
        assert api.post(f"/api/streams/yellowlive/Store1/actions/{action}", json={}).status_code == 200
        parsed.wait(action, is_stored(api, "Store1"))
        assert parsed.stored_schedule("yellowlive__Store1_ingestion") == schedule


def test_who_may_not_edit_all_dags_of_the_file_gets_the_edit_done_and_is_informed(client, parsed):
    api = client("narrow")
    said = change(api, "Store1", schedule="41 1 * * *")
    assert said["config"]["schedule"] == "41 1 * * *"
    note = f"you may not edit all DAGs of {FILE}: the change shows at its next pass"
    assert said["parse"] == {"files": [], "note": note}
    assert seen(api, "Store1")["state"] == "waiting"
    done = parsed.dagfactory("streams", "set", "Store1", "retries=3", "--platform", "YellowLive", user="narrow")
    assert (done.returncode, note in done.stderr) == (0, True), done.stderr
    done = parsed.dagfactory("streams", "set", "Store1", "retries=2", "--platform", "YellowLive")
    assert f"Airflow is asked to parse {FILE}" in done.stderr, done.stderr
    parsed.wait("both changes", is_stored(client(), "Store1"))


def test_a_quarantined_row_and_an_import_error_are_named(client, parsed):
    api, file = client(), parsed.world.real.dags_folder / FILE
    parsed.world.write("YellowLive", row("Store2", schedule="never"))
    reported = seen(api, "Store2")
    assert reported["state"] == "blocked"
    assert reported["what"].startswith("its row is quarantined: ")
    parsed.world.write("YellowLive", row("Store2", schedule="51 1 * * *"))
    whole = file.read_text()
    try:
        file.write_text("raise RuntimeError('no DAG of airflow')\n")  # a file that has changed is parsed at once
        parsed.wait("the import error", parsed.world.real.import_errors)
        reported = seen(api, "Store2")
        assert (reported["state"], reported["what"]) == ("blocked", f"{FILE} has an import error in Airflow")
        new = api.post("/api/streams/yellowlive", json={"config": row("Fresher")}).json()["airflow"]
        assert new["what"] == f"{FILE} has an import error in Airflow"
    finally:
        file.write_text(whole)
    parsed.wait("all is well", lambda: is_stored(api, "Store2")() and is_stored(api, "Fresher")())


def test_an_airflow_that_is_away_leaves_the_edit_and_says_so_in_a_sentence(client, parsed):
    change_it = ("streams", "set", "Store1", "retries=1", "--platform", "YellowLive")
    done = parsed.dagfactory(*change_it, DAGFACTORY_AIRFLOW_URL="http://127.0.0.1:1")
    assert done.returncode == 0
    (line,) = [one for one in done.stderr.splitlines() if one.startswith("Airflow could not be asked")]
    assert "which shows at its next pass" in line
    assert client().get("/api/streams/yellowlive/Store1").json()["config"]["retries"] == 1


@pytest.fixture
def model(parsed, tmp_path):
    """A model of YellowForensic in git, its settings file where Airflow has it; functions that commit and sync it."""
    folder = tmp_path / "model"
    folder.mkdir()
    settings = parsed.world.real.home / "settings" / names.settings_file("yellowforensic")
    before = settings.read_text()

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
        subprocess.run(["git", *who, "-C", str(folder), *arguments], check=True, capture_output=True)

    def commit(*stores: str, schedule: str = "0 0 * * *") -> None:
        place = {"host": "pg", "port": 5432, "store": "merge", "url": "https://example.invalid/model", "consumers": ""}
        sinks = json.dumps([{"datastore": store, "dataset": "customers"} for store in stores])
        text = MODEL.format(**place, datastores="".join(DATASTORES.format(name=one) for one in stores), sinks=sinks)
        text = text.replace("milestoning: forensic,", f"milestoning: forensic, schedule: '{schedule}',")
        (folder / "ecosystem.yaml").write_text(text)
        groups = {"LiveDSG": "YellowLive", "ForensicDSG": "YellowForensic"}
        mapping = [
            {
                "dsgName": group,
                "workspace": "Consumer1",
                "assignments": [{"dataPlatform": one, "status": "PROVISIONED"}],
            }
            for group, one in groups.items()
        ]
        (folder / "dsg_platform_mapping.json").write_text(json.dumps(mapping))
        git("add", "-A")
        git("commit", "-qm", "a change")
        loaded = load_model(folder)
        (platform,) = [one for one in loaded.ecosystem.platforms if one.name == "YellowForensic"]
        settings.write_text(platform_settings(platform, loaded).to_json())

    def sync(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return parsed.dagfactory(
            "sync", str(folder), "--platform", "YellowForensic", "--yes", *arguments, **environment
        )

    git("init", "-q", "-b", "main")
    yield commit, sync
    settings.write_text(before)


def test_sync_waits_until_added_changed_and_retired_streams_are_stored(client, parsed, model):
    commit, sync = model
    commit("Alpha", "Beta")
    done = sync("--wait", "--overwrite-drift", "--force-rollback")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Airflow has stored all " in done.stderr
    dag_ids = {one for one in parsed.world.real.dag_ids() if one.startswith("yellowforensic")}
    assert dag_ids == {"yellowforensic__Alpha_ingestion", "yellowforensic__Beta_ingestion"}
    commit("Alpha", "Gamma", schedule="7 7 * * *")
    done = sync("--wait", "--allow-incompatible", "Beta.customers")
    assert done.returncode == 0, done.stdout + done.stderr
    dag_ids = {one for one in parsed.world.real.dag_ids() if one.startswith("yellowforensic")}
    assert dag_ids == {"yellowforensic__Alpha_ingestion", "yellowforensic__Gamma_ingestion"}
    assert parsed.stored_schedule("yellowforensic__Alpha_ingestion") == "7 7 * * *"


def test_a_wait_that_ends_too_early_says_which_streams_and_why_and_the_rows_stand(client, parsed, model):
    commit, sync = model
    commit("Delta")
    done = sync("--wait", "--timeout", "1", "--overwrite-drift", "--force-rollback")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "yellowforensic/Delta: Airflow has not parsed yellowforensic_factory.py since the change" in done.stderr
    assert "[DF2501]" in done.stderr
    rows = parsed.world.merge_store("SELECT stream_key FROM yellowforensic_airflow_dsg WHERE status <> 'retired'")
    assert rows == [("Delta",)]


def test_sync_does_not_wait_without_an_airflow_to_ask(parsed, model):
    commit, sync = model
    commit("Epsilon")
    done = sync("--wait", "--force-rollback", DAGFACTORY_AIRFLOW_URL="")
    assert done.returncode == 1
    assert "DAGFACTORY_AIRFLOW_URL" in done.stderr
    assert parsed.world.merge_store("SELECT FROM yellowforensic_airflow_dsg WHERE stream_key = 'Epsilon'") == []


def test_a_dag_processor_that_is_away_is_named(client, parsed):
    """The last test: it ends the dag-processor."""
    api = client()
    parsed.processor.process.terminate()
    parsed.processor.process.wait(60)
    parsed.world.write("YellowLive", row("Store1", schedule="59 1 * * *"))
    reported = seen(api, "Store1")
    assert (reported["state"], reported["what"]) == ("blocked", "no dag-processor is alive")
