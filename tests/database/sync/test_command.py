"""`dagfactory` as people run it: child processes against a real merge store, one clear error, nothing half done."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psycopg2
import pytest
import yaml

import config_schema
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import StreamTable
from tests.database.sync.command import assert_one_clear_error, edit, git
from tests.loopback_server import LoopbackServer

EXAMPLES = Path(config_schema.__file__).parent / "examples"


def test_sync_shows_the_plan_applies_it_and_a_second_one_has_nothing_to_do(dagfactory, model, synced):
    first = dagfactory("sync", model, "--yes")
    commit = git(model, "rev-parse", "HEAD")
    assert (first.returncode, first.stderr) == (0, "")
    assert "+ create Store1" in first.stdout
    assert first.stdout.splitlines()[-1] == f"2 created; model at {commit[:12]}"
    assert synced.commit_recorded() == synced.commit_recorded("yellowforensic") == commit

    rows = synced.rows()
    second = dagfactory("sync", model)
    assert (second.returncode, second.stdout.splitlines()[-1]) == (0, f"2 unchanged; model at {commit[:12]}")
    assert synced.rows() == rows


def test_a_sync_beside_another_waits_and_plans_anew_what_that_has_changed(dagfactory, model, synced):
    dagfactory("sync", model)
    edit(model, '"* * * * *"', '"@continuous"')
    done = []
    with closing(psycopg2.connect(synced.dsns["yellowlive"])) as other, other.cursor() as cursor:
        StreamTable(ControlSession(other, "yellowlive")).take_sync_lock()
        second = threading.Thread(target=lambda: done.append(dagfactory("sync", model, "--yes")))
        second.start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
        while second.is_alive() and not synced.execute(waiting):
            pass
        cursor.execute("UPDATE yellowlive_airflow_dsg SET status = 'paused'")
        other.commit()
        second.join(60)
    (sync,) = done
    assert sync.returncode == 0
    assert "yellowlive_airflow_dsg: another sync is running; this one waits for it, up to 30 s" in sync.stderr
    assert "the rows have changed since the plan was shown. It is planned again" in sync.stderr
    assert synced.commit_recorded() == git(model, "rev-parse", "HEAD")
    (row,) = synced.rows()
    assert (row.status, json.loads(row.config_json)["schedule"]) == ("paused", "@continuous")


def test_plan_and_a_dry_run_show_each_field_that_changes_and_change_nothing(dagfactory, model, synced):
    dagfactory("sync", model)
    rows = synced.rows()
    edit(model, '"* * * * *"', '"@continuous"')
    for command in (["plan"], ["sync", "--dry-run"]):
        done = dagfactory(*command, model)
        assert done.returncode == 0
        assert "~ update Store1\n      schedule: * * * * * -> @continuous\n" in done.stdout
        assert done.stdout.splitlines()[-1].startswith("1 to update, 1 unchanged; model at ")
    assert synced.rows() == rows


def test_a_commit_that_does_not_descend_from_the_one_applied_last_is_refused_unless_forced(dagfactory, model, synced):
    edit(model, '"* * * * *"', '"@continuous"')
    first, second = git(model, "rev-list", "HEAD~1"), git(model, "rev-parse", "HEAD")
    dagfactory("sync", model)
    git(model, "checkout", "--quiet", first)
    warned = dagfactory("plan", model)
    assert warned.returncode == 0
    assert "warning: YellowLive: the model at" in warned.stderr
    for source in ([model], ["--git-repo-url", f"file://{model}", "--git-repo-branch", first]):
        assert_one_clear_error(dagfactory("sync", *source), "does not descend from", "--force-rollback", show="plan")
    assert synced.commit_recorded() == second
    assert dagfactory("sync", model, "--force-rollback").returncode == 0
    assert synced.commit_recorded() == first
    git(model, "checkout", "--quiet", "main")
    assert dagfactory("sync", "--git-repo-url", f"file://{model}").returncode == 0
    assert synced.commit_recorded() == second


def test_going_back_by_force_needs_no_model_that_has_left_the_branch(dagfactory, model, synced):
    first = git(model, "rev-parse", "HEAD")
    edit(model, "varchar(20)", "varchar(30)")
    dagfactory("sync", model)
    git(model, "reset", "--quiet", "--hard", first)
    elsewhere = ["sync", "--git-repo-url", f"file://{model}"]
    assert_one_clear_error(dagfactory(*elsewhere), "does not descend from", "--force-rollback", show="plan")
    forced = dagfactory(*elsewhere, "--force-rollback")
    assert forced.returncode == 0, forced.stderr
    assert "warning: " in forced.stderr
    assert synced.commit_recorded() == first


def test_a_model_that_breaks_a_rule_which_came_after_its_sync_can_be_mended(model):
    from airflow_plugin.sync.source import model_of_folder

    edit(model, "type: date", "type: dat")
    broken = git(model, "rev-parse", "HEAD")
    edit(model, "type: dat,", "type: date,")
    assert model_of_folder(model).model_at(broken).ecosystem.datastore("Store1").datasets


def test_changes_that_data_cannot_follow_are_refused_unless_allowed_by_name(dagfactory, model, synced):
    text = (model / "ecosystem.yaml").read_text()
    name, narrower = re.search(r"character varying\((\d+)\)|varchar\((\d+)\)", text)[0], "varchar(3)"
    assert dagfactory("sync", model).returncode == 0
    load(synced, "customers", "addresses")
    commit = git(model, "rev-parse", "HEAD")
    edit(model, name, narrower)
    assert "--allow-incompatible Store1.customers" in dagfactory("plan", model).stderr
    refused = dagfactory("sync", model)
    assert refused.returncode == 1
    assert "which does not hold all it held" in refused.stderr
    assert synced.commit_recorded() == commit
    half = dagfactory("sync", model, "--allow-incompatible", "Store1.customers")
    assert half.returncode == 1
    assert "Store1.customers" not in half.stderr
    both = [f"--allow-incompatible=Store1.{name}" for name in ("customers", "addresses")]
    allowed = dagfactory("sync", model, *both)
    assert (allowed.returncode, allowed.stderr) == (0, "")
    assert synced.commit_recorded() == git(model, "rev-parse", "HEAD")


def load(synced, *datasets: str) -> None:
    """Leave the merge tables of datasets on YellowLive, as their first batches do."""
    for dataset in datasets:
        synced.execute(f'CREATE TABLE "yellowlive_Store1_{dataset}_merge" (id text)')


def test_a_table_that_was_never_loaded_may_have_other_types_and_another_key(dagfactory, model, synced):
    assert dagfactory("sync", model).returncode == 0
    load(synced, "addresses")
    edit(model, "{name: phone, type: varchar(100)", "{name: phone, type: varchar(5)")
    planned = dagfactory("plan", model)
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "phone" not in planned.stdout
    assert dagfactory("sync", model).returncode == 0
    load(synced, "customers")
    edit(model, "{name: phone, type: varchar(5)", "{name: phone, type: varchar(4)")
    assert "column phone was character varying(5) and is character varying(4)" in dagfactory("sync", model).stderr


def test_plan_and_sync_say_what_becomes_of_tables_views_masks_checks_and_rights(dagfactory, model, synced):
    first = dagfactory("sync", model)
    view = "yellowlive_Consumer1_LiveDSG_Store1_customers_view_live"
    assert f"  + view {view}: made once its table has a batch\n" in first.stdout
    assert "  + right Demo_Consumer1_LiveDSG_reader: may read 2 views, " in first.stdout
    load(synced, "customers")
    check = "{name: called, kind: not_null, severity: warn, columns: [phone]}"
    of_customers = "- name: customers\n        primary_key: [id]\n"
    edit(model, of_customers, f"{of_customers}        checks: [{check}]\n", commit=False)
    phone, note = "- {name: phone, type: %s, classification: %s}", "- {name: note, type: text}"
    edit(model, phone % ("varchar(100)", "pii"), f"{phone % ('text', 'confidential')}\n          {note}", commit=False)
    edit(model, "may_see: [public, internal, confidential, pii]", "may_see: [public, internal, pii]\n    masks: true")
    said = dagfactory("plan", model)
    assert said.returncode == 0, said.stderr
    for line in (
        "~ table yellowlive_Store1_customers_merge: column phone becomes text, was character varying(100)",
        "~ table yellowlive_Store1_customers_merge: column note text is new: the next batch reads all rows",
        f"~ view {view}: column note is new",
        f"+ mask {view} phone: NULL for Consumer1",
        "+ check Store1.customers called: not_null, warn",
    ):
        assert f"  {line}\n" in said.stdout
    shown = json.loads(dagfactory("plan", model, "--json").stdout)["platforms"][0]["effects"]
    assert {"kind": "mask", "sign": "new", "name": f"{view} phone", "what": "NULL for Consumer1"} in shown


def test_without_a_terminal_it_applies_only_with_yes(dagfactory, model, synced):
    refused = dagfactory("sync", model, DAGFACTORY_YES="")
    assert_one_clear_error(refused, "there is no terminal to ask on", "Give --yes", "[DF3007]", show="plan")
    assert "+ create Store1" in refused.stdout
    assert synced.tables() == []
    as_json = dagfactory("sync", model, "--json", DAGFACTORY_YES="")
    assert (as_json.returncode, as_json.stdout, "Give --yes" in as_json.stderr) == (1, "", True)
    assert dagfactory("sync", model, "--yes", DAGFACTORY_YES="").returncode == 0
    assert dagfactory("sync", model, DAGFACTORY_YES="").returncode == 0  # there is nothing to apply
    assert dagfactory("sync", model, "--dry-run", DAGFACTORY_YES="").returncode == 0


def test_a_clone_without_its_history_says_how_to_get_it(dagfactory, model, synced, tmp_path):
    dagfactory("sync", model)
    for before, after in (('"* * * * *"', '"*/1 * * * *"'), ('"*/1 * * * *"', '"@continuous"')):
        edit(model, before, after)
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{model}", "shallow")
    shallow = tmp_path / "shallow"
    assert_one_clear_error(dagfactory("sync", shallow), "Run git fetch --unshallow there", show="plan")
    git(shallow, "fetch", "--quiet", "--unshallow")
    assert dagfactory("sync", shallow).returncode == 0


def test_a_change_of_any_file_of_the_model_must_be_committed(dagfactory, model):
    (model / "tables.py").write_text("customers = 1")
    assert dagfactory("sync", model).returncode == 0  # not in git, and perhaps not of the model
    git(model, "add", "tables.py")
    git(model, "commit", "--quiet", "--message=Tables")
    (model / "tables.py").write_text("customers = 2")
    assert_one_clear_error(dagfactory("sync", model), "tables.py: there are changes that are not committed")


def test_the_exit_code_of_plan_tells_whether_there_are_changes(dagfactory, model, synced):
    assert dagfactory("plan", model, "--detailed-exitcode").returncode == 2
    assert synced.tables() == []
    dagfactory("sync", model)
    assert dagfactory("plan", model, "--detailed-exitcode").returncode == 0
    edit(model, "a minute late at most", "soon")  # other commit, same streams: jobs will run it
    assert dagfactory("plan", model, "--detailed-exitcode").returncode == 2


def test_json_is_all_there_is_on_stdout(dagfactory, model):
    planned = json.loads(dagfactory("plan", model, "--json").stdout)
    applied = json.loads(dagfactory("sync", model, "--json").stdout)
    assert planned | {"applied": True} == applied
    assert planned["counts"] == {"create": 2, "update": 0, "revive": 0, "retire": 0, "drift": 0, "unchanged": 0}
    change = planned["platforms"][0]["changes"][0]
    assert (change["kind"], change["stream_key"]) == ("create", "Store1")
    assert {"key": "schedule", "before": None, "after": "* * * * *"} in change["fields"]
    assert json.loads(dagfactory("sync", model, "--json").stdout)["applied"] is False


def test_one_platform_can_be_synced_alone(dagfactory, model, synced):
    assert dagfactory("sync", model, "--platform", "YellowForensic").returncode == 0
    assert {table.split("_")[0] for table in synced.tables()} == {"yellowforensic"}
    assert_one_clear_error(dagfactory("sync", model, "--platform", "YellowLife"), "Did you mean 'YellowLive'?")
    assert_one_clear_error(dagfactory("sync", model, "--platform", "yelowlive"), "Did you mean 'YellowLive'?")
    assert json.loads(dagfactory("plan", model, "--platform", "yellowforensic", "--json").stdout)["platforms"]


def test_a_model_comes_from_a_branch_of_a_repository(dagfactory, model, synced):
    git(model, "checkout", "--quiet", "-b", "release")
    edit(model, '"* * * * *"', '"@continuous"')
    commit = git(model, "rev-parse", "HEAD")
    git(model, "checkout", "--quiet", "main")
    done = dagfactory("sync", "--git-repo-url", model, "--git-repo-branch", "release")
    assert done.returncode == 0
    assert synced.commit_recorded() == commit
    assert json.loads(synced.rows()[0].config_json)["schedule"] == "@continuous"
    gone = dagfactory("sync", "--git-repo-url", model, "--git-repo-branch", "gone")
    assert_one_clear_error(gone, "no such branch")


def test_on_a_terminal_it_asks_and_a_no_changes_nothing(model, synced):
    def answer(text: str) -> int:
        ours, theirs = pty.openpty()
        os.write(ours, text.encode())
        done = subprocess.run(
            [sys.executable, "-m", "airflow_plugin", "sync", str(model)],
            env={"PATH": os.environ["PATH"], **synced.environment},
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        os.close(ours)
        os.close(theirs)
        assert "Apply these changes?" in done.stderr
        assert "Traceback" not in done.stderr
        return done.returncode

    assert answer("n\n") == 1
    assert synced.tables() == []
    assert answer("y\n") == 0
    assert len(synced.rows()) == 1


def test_a_wrong_password_is_one_clear_error_and_nothing_is_half_done(dagfactory, model, synced):
    wrong = synced.dsns["yellowlive"].replace("pass%20word%27s", "hunter2")
    assert wrong != synced.dsns["yellowlive"]
    done = dagfactory("sync", model, DAGFACTORY_YELLOWLIVE_DSN=wrong)
    assert_one_clear_error(done, "DAGFACTORY_YELLOWLIVE_DSN", "wrong user name or password")
    assert "hunter2" not in done.stderr
    assert synced.tables() == []


def test_a_missing_database_is_one_clear_error_and_nothing_is_half_done(dagfactory, model, synced):
    gone = f"{synced.dsns['yellowlive']}_gone"
    done = dagfactory("sync", model, DAGFACTORY_YELLOWLIVE_DSN=gone)
    assert_one_clear_error(done, "the database does not exist", "_gone")
    assert synced.tables() == []


def test_a_server_that_is_away_and_a_login_that_is_not_set_are_clear_errors(dagfactory, model, synced):
    away = dagfactory("sync", model, DAGFACTORY_YELLOWLIVE_DSN="postgresql://u:hunter2@127.0.0.1:1/db")
    assert_one_clear_error(away, "nobody listens there")
    assert "hunter2" not in away.stderr
    unset = dagfactory("sync", model, DAGFACTORY_YELLOWLIVE_DSN="")
    assert_one_clear_error(unset, "POSTGRES_USERNAME and POSTGRES_PASSWORD", "DAGFACTORY_YELLOWLIVE_DSN")
    assert synced.tables() == []


def test_a_broken_model_shows_every_problem_and_changes_nothing(dagfactory, model, synced):
    dagfactory("sync", model)
    rows, commit = synced.rows(), synced.commit_recorded()
    edit(model, '"* * * * *"', '"99 * * * *"', commit=False)
    edit(model, "YellowForensic", "YellowForensics", "dsg_platform_mapping.json")
    for command in ("validate", "plan", "sync"):
        done = dagfactory(command, model)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Traceback" not in done.stderr
        lines = done.stderr.splitlines()
        assert len(lines) == 2
        assert all(line.startswith("error: ") for line in lines)
        assert "ecosystem.yaml:9: platforms[0].schedule: '99 * * * *'" in lines[0]
        assert "dsg_platform_mapping.json:20: [1].assignments[0].dataPlatform: 'YellowForensics'" in lines[1]
    assert (synced.rows(), synced.commit_recorded()) == (rows, commit)
    listed = json.loads(dagfactory("validate", model, "--json").stdout)["problems"]
    assert [problem["file"] for problem in listed] == ["ecosystem.yaml", "dsg_platform_mapping.json"]


def test_a_model_that_is_not_committed_is_refused_because_jobs_run_a_commit(dagfactory, model, synced):
    edit(model, '"* * * * *"', '"@continuous"', commit=False)
    assert_one_clear_error(dagfactory("sync", model), "not committed", "Commit them first")
    shutil.rmtree(model / ".git")
    assert_one_clear_error(dagfactory("sync", model), "no git repository")
    assert synced.tables() == []
    assert dagfactory("validate", model).returncode == 0


def test_ctrl_c_stops_the_simulator_cleanly_and_its_exit_code_is_ours(new_database):
    dsn = new_database("producer").dsn
    process = subprocess.Popen(
        [sys.executable, "-m", "merge_jobs", "simulate", "--create-tables", "--verbose", "--min-interval", "0"],
        env={"PATH": os.environ["PATH"], "SIMULATOR_DSN": dsn, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(3)]  # it is running
    process.send_signal(signal.SIGINT)
    said.append(process.communicate(timeout=60)[0])
    assert process.returncode == 0, said
    assert "Traceback" not in "".join(said)


def without_forensic(model: Path) -> None:
    """The model as it is when the platform YellowForensic and its consumers have left it."""
    ecosystem = yaml.safe_load((model / "ecosystem.yaml").read_text())
    ecosystem["platforms"] = [one for one in ecosystem["platforms"] if one["name"] != "YellowForensic"]
    (workspace,) = ecosystem["workspaces"]
    workspace["dataset_groups"] = [one for one in workspace["dataset_groups"] if one["name"] != "ForensicDSG"]
    (model / "ecosystem.yaml").write_text(yaml.safe_dump(ecosystem))
    mapping = json.loads((model / "dsg_platform_mapping.json").read_text())
    kept = [one for one in mapping if one["dsgName"] != "ForensicDSG"]
    (model / "dsg_platform_mapping.json").write_text(json.dumps(kept))
    git(model, "commit", "--quiet", "--all", "--message=No forensic platform")


def test_of_a_platform_that_left_the_model_all_streams_are_retired(dagfactory, model, synced):
    dagfactory("sync", model)
    without_forensic(model)
    alone = dagfactory("sync", model, "--platform", "YellowLive", "--dry-run")
    assert "YellowForensic" not in alone.stdout
    plan = dagfactory("plan", model)
    assert "retire Store1" in plan.stdout
    assert [row.status for row in synced.rows("yellowforensic")] == ["active"]

    done = dagfactory("sync", model)
    assert done.returncode == 0, done.stderr
    note = "YellowForensic left the model: its streams are retired, its tables stay. dagfactory platform retire"
    assert note in done.stdout
    assert "1 retired" in done.stdout
    assert [row.status for row in synced.rows("yellowforensic")] == ["retired"]
    assert [row.status for row in synced.rows("yellowlive")] == ["active"]
    again = dagfactory("sync", model, "--detailed-exitcode")
    assert (again.returncode, "YellowForensic" in again.stdout) == (0, False)


def test_a_platform_that_left_and_whose_store_is_away_leaves_all_as_it_was(dagfactory, model, synced):
    dagfactory("sync", model)
    without_forensic(model)
    done = dagfactory("sync", model, DAGFACTORY_YELLOWFORENSIC_DSN="postgresql://nobody@127.0.0.1:1/nowhere")
    assert_one_clear_error(done, "YELLOWFORENSIC")
    assert synced.commit_recorded("yellowlive") != git(model, "rev-parse", "HEAD")
    assert [row.status for row in synced.rows("yellowlive")] == ["active"]


def test_the_exit_code_of_sync_tells_whether_there_were_changes(dagfactory, model, synced):
    assert dagfactory("sync", model, "--detailed-exitcode").returncode == 2
    assert dagfactory("sync", model, "--detailed-exitcode").returncode == 0
    synced.execute("UPDATE yellowlive_airflow_dsg SET config_json = replace(config_json, '* * * * *', '@hourly')")
    assert dagfactory("sync", model, "--detailed-exitcode").returncode == 2
    assert dagfactory("sync", model).returncode == 0


@pytest.fixture
def airflow_with():
    """A function that starts an Airflow's API in which the DAGs have the files that it is given; its environment."""
    servers = []

    def start(files: dict[str, str]) -> dict[str, str]:
        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                file = files.get(self.path.rpartition("/")[2])
                body = json.dumps({"is_paused": False, "is_stale": False, "fileloc": file}).encode()
                self.send_response(200 if file else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        server = LoopbackServer(("127.0.0.1", 0), Answers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        return {"DAGFACTORY_AIRFLOW_URL": address, "DAGFACTORY_AIRFLOW_TOKEN": "a-token"}

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_sync_writes_no_row_whose_dag_id_a_static_file_has(dagfactory, model, synced, airflow_with):
    dag_id = "yellowlive__Store1_ingestion"
    taken = airflow_with({dag_id: "/dags/victim.py"})
    said = f"the DAG id {dag_id} is that of a DAG in /dags/victim.py, which the stream's would take over"
    assert_one_clear_error(dagfactory("sync", model, "--yes", **taken), said, "take the static file away")
    assert synced.commit_recorded("yellowforensic") is None
    ours = airflow_with({dag_id: "/dags/yellowlive_factory.py"})
    assert dagfactory("sync", model, "--yes", **ours).returncode == 0
    rows = synced.rows()
    assert len(rows) == 1
    # What is there already stays: check_streams, doctor and the pages show it.
    assert dagfactory("sync", model, "--yes", **taken).returncode == 0
    assert synced.rows() == rows


def test_sync_writes_nothing_where_the_airflow_that_is_to_be_asked_is_away(dagfactory, model, synced, airflow_with):
    away = airflow_with({}) | {"DAGFACTORY_AIRFLOW_URL": "http://127.0.0.1:1"}
    assert_one_clear_error(dagfactory("sync", model, "--yes", **away), "no answer")
    assert synced.tables() == [] or synced.rows() == []


def test_half_a_surrogate_pair_in_a_model_is_refused_or_written_so_that_it_can_be_read(dagfactory, model, synced):
    edit(model, "name: Store1", 'name: "Store\\ud800"')
    done = dagfactory("sync", model, "--yes")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.isascii()
    assert synced.tables() == [] or synced.rows() == []
