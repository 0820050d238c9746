"""The merge task on a worker: real child programs in place of the merge job, and what becomes of their results."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psycopg2
import pytest

from airflow_plugin.jobs.merge_job import MergeJob, SecretVariable
from config_schema import names
from config_schema.result import Counts, DatasetResult, MergeResult, ResultCode

PRELUDE = """
import os, sys
from config_schema.result import *
token = os.environ["DATASURFACE_RESULT_TOKEN"]
run_id = next(item for item in sys.argv if item.startswith("--run-id=")).removeprefix("--run-id=")
result = MergeResult(ResultCode.DONE, run_id, "YellowLive", "Store1", batch_id=7,
                     datasets={"customers": DatasetResult(Counts(1, 2, 3, 4, 10))})
def say(**changes):
    for line in result_lines(replace(result, **changes), token):
        print(line)
"""
SHOWN = re.compile(r"\[(\w+) *\] (.*)")  # a line of Airflow's log
JOB = MergeJob(
    platform="YellowLive",
    platform_name="yellowlive",
    stream_key="Store1",
    arguments=("merge", "--platform=YellowLive", "--store={{ run_id }}"),
    secrets=(
        SecretVariable("POSTGRES_PASSWORD", "postgres", "password"),
        SecretVariable("GIT_TOKEN", "git", "token", optional=True),
    ),
)


@pytest.fixture
def airflow_exceptions(airflow_here):
    from airflow.sdk.exceptions import AirflowException

    from airflow_plugin.airflow_versions import AirflowFailException, AirflowSkipException

    return SimpleNamespace(
        AirflowException=AirflowException,
        AirflowFailException=AirflowFailException,
        AirflowSkipException=AirflowSkipException,
    )


@pytest.fixture
def run(airflow_here, tmp_path):
    """Run the merge task on a program; its return value."""
    from airflow_plugin.operators.process import ProcessMergeOperator

    def execute(program: str, run_id: str = "run 1", job: MergeJob = JOB, started=None):
        file = tmp_path / "job.py"
        file.write_text(PRELUDE + textwrap.dedent(program))
        operator = ProcessMergeOperator(task_id="snapshot_merge_job", job=job, command=[sys.executable, str(file)])
        if started is not None:
            started(operator)
        return operator.execute({"run_id": run_id})

    return execute


def test_the_result_is_the_tasks_value_and_the_run_id_came_as_it_is(run):
    value = run("say()", run_id="manual__{{ ds }} 'x'")
    assert value["code"] == 0
    assert value["run_id"] == "manual__{{ ds }} 'x'"
    assert value["total"] == {"inserted": 1, "updated": 2, "deleted": 3, "unchanged": 4, "total": 10}
    assert "token" not in value


def test_keep_working_is_a_value_too(run):
    assert run("say(code=ResultCode.KEEP_WORKING)")["code"] == 1


def test_a_line_of_the_job_has_its_level_in_airflows_log_and_data_forges_none(run, caplog, capsys):
    run("""
        import logging
        from merge_jobs.process.log_lines import LogFormat, log_to_stdout
        for form in LogFormat:
            log_to_stdout(form, store="Store1")
            logging.warning("%s: is broken", form.value)
            logging.info("x\\n2027-01-01 00:00:00,000 ERROR forged")
            logging.error("%s: is away", form.value)
        print("2027-01-01 ERROR no line of ours")
        say()
    """)
    # Where another test has set Airflow's log up, lines are on stdout; else they are records.
    lines = [(one.levelname, one.getMessage()) for one in caplog.records]
    lines += [(level.upper(), text) for level, text in SHOWN.findall(capsys.readouterr().out)]
    of_job = [level for level, text in lines if "2027" in text or ": is broken" in text or ": is away" in text]
    assert of_job == ["WARNING", "INFO", "ERROR"] * 2 + ["INFO"]


def test_arguments_reach_the_job_through_no_template(run):
    assert run("say(model_commit=' '.join(sys.argv[1:]))")["model_commit"] == (
        "merge --platform=YellowLive --store={{ run_id }} --run-id=run 1"
    )


def test_the_job_gets_the_secrets_that_its_stream_names_and_little_else(run, monkeypatch):
    monkeypatch.setenv("POSTGRES_PASSWORD", "the word")
    monkeypatch.setenv("OTHER_PASSWORD", "not for this stream")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://not for any")
    monkeypatch.setenv("HTTPS_PROXY", "http://the.way.out:3128")
    seen = json.loads(run("import json; say(model_commit=json.dumps(dict(os.environ)))")["model_commit"])
    assert seen["POSTGRES_PASSWORD"] == "the word"
    assert seen["PATH"] == os.environ["PATH"]
    assert seen["HTTPS_PROXY"] == "http://the.way.out:3128"
    allowed = {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PYTHONPATH", "POSTGRES_PASSWORD", "LC_CTYPE"}
    own = {"PYTHONUNBUFFERED", "DATASURFACE_RESULT_TOKEN", "DATASURFACE_TERMINATION_MESSAGE_PATH"}
    assert {
        name for name in seen if not re.search("^LC_|^SSL_|CA_BUNDLE$|CAINFO$|(?i:_proxy)$|SSH", name)
    } <= allowed | own


def test_the_job_learns_the_environment_of_its_platform_and_not_the_workers(run, monkeypatch):
    monkeypatch.setenv(names.ENVIRONMENT_VARIABLE, "dev")
    program = f"say(model_commit=os.environ.get({names.ENVIRONMENT_VARIABLE!r}, 'none'))"
    assert run(program)["model_commit"] == "none"
    assert run(program, job=replace(JOB, environment="staging"))["model_commit"] == "staging"


def test_an_error_that_a_retry_can_help_leaves_the_task_to_be_retried(run, airflow_exceptions):
    with pytest.raises(airflow_exceptions.AirflowException) as raised:
        run("say(code=ResultCode.ERROR, error='source: away. Start it', retryable=True); sys.exit(1)")
    assert not isinstance(raised.value, airflow_exceptions.AirflowFailException)
    assert "YellowLive Store1: source: away. Start it" in str(raised.value)


def test_an_error_that_no_retry_can_help_fails_for_good(run, airflow_exceptions):
    with pytest.raises(airflow_exceptions.AirflowFailException, match=r"customers: no such table\. Correct"):
        run("say(code=ResultCode.ERROR, error='customers: no such table. Correct the model'); sys.exit(1)")


@pytest.mark.parametrize(
    ("program", "ended"),
    [
        ("sys.exit(1)", "exit code 1"),
        ("sys.exit(0)", "exit code 0"),
        ("os.kill(os.getpid(), 9)", "signal SIGKILL"),
        ("print(result_lines(result, 'a guess')[0])", "exit code 0"),
        ("print('DATASURFACE_RESULT=' + '{}'); print('DATASURFACE_RESULT_CODE=0')", "exit code 0"),
        ("print('a value: ' + result_lines(result, token)[0])", "exit code 0"),
    ],
    ids=["error", "nothing said", "killed", "wrong token", "no token", "inside a line"],
)
def test_a_job_that_leaves_no_result_of_its_own_fails_the_task_and_says_how_it_ended(
    run, airflow_exceptions, program, ended
):
    with pytest.raises(airflow_exceptions.AirflowException, match=f"ended with {ended} and left no result") as raised:
        run(program)
    assert not isinstance(raised.value, airflow_exceptions.AirflowFailException)


def test_a_result_that_data_forged_does_not_count_and_one_said_twice_counts_once(run):
    forged = "print(result_lines(replace(result, batch_id=666), 'a guess')[0])"
    assert run(f"{forged}; say(); say(); {forged}")["batch_id"] == 7


def test_a_result_that_only_the_termination_message_has_counts(run):
    value = run(
        "open(os.environ['DATASURFACE_TERMINATION_MESSAGE_PATH'], 'w').write(termination_message(result, token))"
    )
    assert value["batch_id"] == 7


def test_a_result_on_standard_error_counts_and_so_does_a_truncated_one_before_the_whole(run):
    value = run("print(result_lines(replace(result, datasets={}, truncated=True), token)[0], file=sys.stderr); say()")
    assert (value["truncated"], list(value["datasets"])) == (False, ["customers"])


def test_a_job_that_died_after_its_commit_is_found_by_its_run_id(run, new_database, monkeypatch, airflow_exceptions):
    database = new_database("merge")
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", database.dsn)
    with pytest.raises(airflow_exceptions.AirflowException, match="left no result"):
        run("os._exit(137)")  # no batch table yet
    commit_batches(
        database.dsn,
        counter=result(9, "another run"),
        committed=(result(7, "run 1"), result(8, "run 1"), result(9, "another run")),
    )
    assert run("os._exit(137)", run_id="run 1")["batch_id"] == 8
    assert run("os._exit(137)", run_id="another run")["batch_id"] == 9
    with pytest.raises(airflow_exceptions.AirflowException, match="exit code 137"):
        run("os._exit(137)", run_id="run 2")


def test_a_paused_stream_skips_and_says_why(run, airflow_exceptions):
    from dataclasses import replace

    with pytest.raises(
        airflow_exceptions.AirflowSkipException, match="YellowLive Store1 is paused: set its row's status"
    ):
        run("say()", job=replace(JOB, paused=True))


def test_a_command_that_does_not_exist_is_one_clear_error(airflow_here, airflow_exceptions):
    from airflow_plugin.operators.process import ProcessMergeOperator

    operator = ProcessMergeOperator(task_id="snapshot_merge_job", job=JOB, command=["/no/such/program"])
    with pytest.raises(airflow_exceptions.AirflowFailException, match="/no/such/program: No such file or directory"):
        operator.execute({"run_id": "run 1"})


def test_ending_the_task_ends_the_job_even_one_that_does_not_listen(run, airflow_exceptions, tmp_path):
    pid_file = tmp_path / "pid"

    def end_it_soon(operator):
        # As Airflow does it: a signal to the task, whose handler calls on_kill and returns.
        signal.signal(signal.SIGUSR1, lambda *_: operator.on_kill())
        threading.Thread(target=lambda: (wait_for(pid_file), os.kill(os.getpid(), signal.SIGUSR1))).start()

    with pytest.raises(airflow_exceptions.AirflowException, match="ended from outside"):
        run(
            f"""
            import signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            with open({str(pid_file)!r} + ".new", "w") as file:
                file.write(str(os.getpid()))
            os.rename(file.name, {str(pid_file)!r})
            time.sleep(60)
            """,
            started=end_it_soon,
        )
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_a_task_that_runs_out_of_time_takes_its_job_along(run, tmp_path):
    from airflow.sdk.execution_time.timeout import timeout

    from airflow_plugin.airflow_versions import AirflowTaskTimeout

    pid_file = tmp_path / "pid"
    program = f"import time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(AirflowTaskTimeout), timeout(1):
        run(program)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def result(batch_id: int, run_id: str) -> MergeResult:
    datasets = {"customers": DatasetResult(Counts(inserted=1, total=1))}
    return MergeResult(ResultCode.DONE, run_id, "YellowLive", "Store1", batch_id=batch_id, datasets=datasets)


def commit_batches(dsn: str, *, counter: MergeResult, committed: tuple[MergeResult, ...]) -> None:
    """The batch tables as DESIGN has them, as far as a reader of results needs them."""
    connection = psycopg2.connect(dsn)
    counter_table, metrics = names.batch_counter_table("yellowlive"), names.batch_metrics_table("yellowlive")
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {counter_table} (key text, last_run_id text, last_result_json jsonb)")
        cursor.execute(
            f"CREATE TABLE {metrics} (key text, batch_id int, batch_status text, run_id text, result_json jsonb)"
        )
        cursor.execute(
            f"INSERT INTO {counter_table} VALUES ('Store1', %s, %s)", (counter.run_id, json.dumps(counter.to_dict()))
        )
        for one in committed:
            row = (one.batch_id, one.run_id, json.dumps(one.to_dict()))
            cursor.execute(f"INSERT INTO {metrics} VALUES ('Store1', %s, 'committed', %s, %s)", row)
        cursor.execute(f"INSERT INTO {metrics} VALUES ('Store1', 10, 'failed', 'run 2', NULL)")
    connection.close()


def wait_for(file: Path) -> None:
    for _ in range(200):
        if file.exists():
            return
        time.sleep(0.05)
