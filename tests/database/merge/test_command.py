"""`merge-job merge` as others start it: a child process, its last lines, its exit code, its termination message."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from config_schema import names
from config_schema.model import Milestoning
from config_schema.result import CODE_PREFIX, RESULT_PREFIX, ResultCode

LIVE = Milestoning.LIVE
TABLE = """
    CREATE TABLE customers (id int PRIMARY KEY, word text);
    INSERT INTO customers SELECT n, E'DATASURFACE_RESULT_CODE=-1\\n' FROM generate_series(1, 98) n;
"""


@pytest.fixture
def case(merging):
    return merging(TABLE)


@pytest.fixture
def merge_job(case, tmp_path, read_result):
    """Run the command with the model of `case`; gives back how it ended, and the result that it reported."""

    def run(run_id="run", *flags, environment=None):
        command = case.command(LIVE, tmp_path, run_id, *flags)
        done = subprocess.run(
            command, env=environment or case.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert "Traceback" not in done.stderr
        for password in (case.source.password, case.target.password):
            assert password not in done.stdout + done.stderr
        return done, read_result(done.stdout)

    return run


def test_the_last_two_lines_are_the_result_and_its_code(merge_job):
    done, result = merge_job()
    reported, code = done.stdout.splitlines()[-2:]
    assert reported.startswith(RESULT_PREFIX)
    assert code == f"{CODE_PREFIX}0"
    assert done.returncode == 0
    assert (result.code, result.run_id, result.stream_key) == (ResultCode.DONE, "run", "Store1")
    assert result.datasets["customers"].counts.inserted == 98


def test_the_log_reads_well(case, merge_job):
    merge_job()
    case.execute(
        """UPDATE customers SET word = NULL WHERE id = 1; DELETE FROM customers WHERE id IN (2, 3);
           INSERT INTO customers VALUES (101), (102)"""
    )
    done, _ = merge_job("two")
    for line in (
        "INFO YellowLive Store1 batch 2: started",
        "INFO YellowLive Store1 customers batch 2: version_diff: row versions tell what has changed",
        "INFO YellowLive Store1 customers: 1 of 1 blocks have changed, seen in ",
        "INFO YellowLive Store1 customers: copied 3 rows in ",
        "INFO YellowLive Store1 batch 2: ingested",
        "INFO YellowLive Store1 customers: 2 inserted, 1 updated, 2 deleted, 95 unchanged of 98",
        "INFO YellowLive Store1 batch 2: committed",
    ):
        assert line in done.stdout


def test_a_log_for_machines_is_an_object_a_line_and_the_result_is_found_all_the_same(case, merge_job):
    done, result = merge_job("run", "--log-format=json")
    *lines, reported, code = done.stdout.splitlines()
    assert (result.code, result.datasets["customers"].counts.inserted) == (ResultCode.DONE, 98)
    assert (reported.startswith(RESULT_PREFIX), code) == (True, f"{CODE_PREFIX}0")
    objects = [json.loads(line) for line in lines]
    assert "YellowLive Store1 batch 1: committed" in [one["message"] for one in objects]
    for one in objects:
        assert (one["level"], one["platform"], one["store"], one["run_id"]) == ("INFO", "YellowLive", "Store1", "run")
        assert datetime.fromisoformat(one["time"]).tzinfo is not None
        assert one["logger"].startswith("merge_jobs.")


def test_the_format_of_the_log_may_come_from_the_environment(case, merge_job):
    done, _ = merge_job("run", environment={**case.environment, "DATASURFACE_LOG_FORMAT": "json"})
    assert json.loads(done.stdout.splitlines()[0])["run_id"] == "run"


def test_the_same_run_id_prints_the_stored_result_under_the_new_token(case, merge_job):
    _, first = merge_job()
    case.execute("DELETE FROM customers WHERE id = 1")
    done, again = merge_job()
    assert again == first
    assert "has been done already" in done.stdout


def test_keep_working_ends_with_exit_code_0(merge_job):
    done, result = merge_job("run", "--time-slice-seconds=0.001")
    assert (done.returncode, result.code) == (0, ResultCode.KEEP_WORKING)
    assert done.stdout.splitlines()[-1] == f"{CODE_PREFIX}1"


def test_without_a_token_the_lines_carry_one_of_their_own(case, tmp_path):
    environment = {key: value for key, value in case.environment.items() if not key.endswith("TOKEN")}
    command = case.command(LIVE, tmp_path, "run")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    reported = json.loads(done.stdout.splitlines()[-2].removeprefix(RESULT_PREFIX))
    assert len(reported["token"]) == 32


def test_the_termination_message_is_the_result_line(case, merge_job, tmp_path, read_result):
    message = tmp_path / "termination-log"
    message.touch()
    environment = {**case.environment, names.TERMINATION_MESSAGE_VARIABLE: str(message)}
    _, result = merge_job(environment=environment)
    assert read_result(message.read_text()) == result


def test_a_termination_message_that_nobody_wants_is_not_made(case, merge_job, tmp_path):
    message = tmp_path / "termination-log"
    merge_job(environment={**case.environment, names.TERMINATION_MESSAGE_VARIABLE: str(message)})
    assert not message.exists()


@pytest.mark.parametrize(
    ("variable", "value", "what", "retryable"),
    [
        ("PRODUCER_PASSWORD", "wrong", "wrong user name or password", False),
        ("POSTGRES_PASSWORD", "wrong", "wrong user name or password", False),
        ("PRODUCER_PASSWORD", None, "PRODUCER_PASSWORD is not set", False),
        ("POSTGRES_USERNAME", None, "POSTGRES_USERNAME is not set", False),
    ],
)
def test_a_wrong_or_missing_secret_is_one_clear_error(case, merge_job, variable, value, what, retryable):
    environment = {key: word for key, word in case.environment.items() if key != variable}
    done, result = merge_job(environment=environment | ({} if value is None else {variable: value}))
    assert done.returncode == 1
    assert (result.code, result.retryable) == (ResultCode.ERROR, retryable)
    assert what in result.error
    assert done.stdout.splitlines()[-1] == f"{CODE_PREFIX}-1"


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--platform=Yellow"], "there is no platform 'Yellow'"),
        (["--store=Shop"], "there is no datastore 'Shop'. Choose from: Store1"),
        (["--datasets=customers,order"], "there is no dataset 'order' in Store1"),
        (["--dataset=customers"], "Store1 is a multi_dataset store"),
        (["--postgres-database=nowhere"], "merge store nowhere: the database does not exist"),
        (["--postgres-database=x host=evil user=y"], "merge store x host=evil user=y: the database does not exist"),
        (["--postgres-database=postgresql://evil/x"], "merge store postgresql://evil/x: the database does not exist"),
        (
            ["--postgres-database=datasurface?sslmode=disable"],
            "merge store datasurface?sslmode=disable: the database does not exist",
        ),
        (["--postgres-credential=other"], "OTHER_USERNAME is not set"),
        (["--git-repo-url=file:///x"], "it is given together with"),
        (["--run-id=a\nb"], "printable characters"),
        (["--max-delete-fraction=50"], "Give a number from 0 to 1"),
    ],
)
def test_a_wrong_option_is_one_clear_error(merge_job, flags, what):
    done, result = merge_job("run", *flags)
    assert done.returncode == 1
    assert what in result.error
    assert not result.retryable


def test_an_error_tells_the_last_committed_batch(case, merge_job):
    merge_job()
    case.execute("ALTER TABLE customers RENAME TO clients")
    _, result = merge_job("two")
    assert (result.code, result.batch_id, result.batches) == (ResultCode.ERROR, 1, 0)


def test_a_broken_model_is_reported_in_the_result(case, tmp_path, read_result):
    command = case.command(LIVE, tmp_path, "run")
    (tmp_path / "ecosystem.yaml").write_text("name: [")
    done = subprocess.run(command, env=case.environment, capture_output=True, text=True, timeout=60, check=False)
    result = read_result(done.stdout)
    assert (done.returncode, result.retryable) == (1, False)
    assert "ecosystem.yaml" in result.error


def test_the_merge_store_of_the_command_line_wins(case, merge_job, new_database):
    other = new_database("other")
    environment = {**case.environment, "OTHER_USERNAME": other.user, "OTHER_PASSWORD": other.password}
    flags = (f"--postgres-database={other.name}", "--postgres-credential=other")
    _, result = merge_job("run", *flags, environment=environment)
    assert result.total.inserted == 98
    assert case.query("SELECT count(*) FROM yellowlive_batch_counter", on=other) == [(1,)]
    assert case.batch_tables(LIVE) is False


def test_options_may_come_from_the_environment(case, tmp_path, read_result):
    command = [part for part in case.command(LIVE, tmp_path, "run") if not part.startswith("--store")]
    environment = {**case.environment, "DATASURFACE_STORE": "Store1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert read_result(done.stdout).total.inserted == 98


# --- the model from git


@pytest.fixture
def git_job(case, tmp_path, read_result):
    """A repository with the model, and a run that takes it from there."""
    repository = tmp_path / "repository"
    repository.mkdir()
    command = case.command(LIVE, repository, "run")
    serve(repository, "YellowLive", "customers")
    git(repository, "init", "--quiet", "--initial-branch=main")
    commit(repository)
    in_git = [part for part in command if not part.startswith("--model")]
    in_git += [
        f"--git-repo-url={repository}",
        f"--postgres-host={case.target.server.host}",
        f"--postgres-port={case.target.server.port}",
        f"--postgres-database={case.target.name}",
        "--postgres-credential=postgres",
    ]

    def run(run_id, *flags):
        command = [*in_git, f"--run-id={run_id}", *flags]
        done = subprocess.run(command, env=case.environment, capture_output=True, text=True, timeout=60, check=False)
        assert "Traceback" not in done.stderr
        return read_result(done.stdout)

    return repository, run


def test_without_a_sync_there_is_no_model_to_run(git_job):
    _, run = git_job
    result = run("one")
    assert result.code is ResultCode.ERROR
    assert "Run dagfactory sync" in result.error


def test_the_commit_that_was_synced_is_what_runs(case, git_job):
    repository, run = git_job
    synced = record(case, repository)
    (repository / "ecosystem.yaml").write_text("name: [")
    commit(repository)
    result = run("one")
    assert (result.code, result.error) == (ResultCode.DONE, None)
    assert result.model_commit == synced
    assert case.query("SELECT model_commit FROM yellowlive_batch_metrics") == [(synced,)]


@pytest.mark.parametrize(
    ("flags", "said", "retryable"),
    [
        (
            ["--source-credential=postgres", "--datasets=customers"],
            "the row names the secret 'postgres', and the model 'producer'",
            True,
        ),
        (["--source-hosts=evil:5432"], "is not allowed by the platform's settings", False),
        (["--source-hosts="], "is not allowed by the platform's settings", False),
        (["--datasets=customers,salaries"], "YellowLive serves no dataset group with salaries of Store1", True),
    ],
)
def test_a_row_that_differs_from_the_model_gets_no_password_sent(case, git_job, flags, said, retryable):
    repository, run = git_job
    model = yaml.safe_load((repository / "ecosystem.yaml").read_text())
    (store,) = model["datastores"]
    store["datasets"].append({**store["datasets"][0], "name": "salaries"})
    store["source"]["port"] = 1  # nobody listens there: to be refused is not to have tried
    (repository / "ecosystem.yaml").write_text(yaml.safe_dump(model))
    commit(repository)
    record(case, repository)
    result = run("one", *flags)
    assert (result.code, result.retryable) == (ResultCode.ERROR, retryable)
    assert said in result.error


def test_a_row_that_agrees_with_settings_and_model_runs(case, git_job):
    repository, run = git_job
    record(case, repository)
    server = f"{case.source.server.host}:{case.source.server.port}"
    flags = (f"--source-hosts=other:1,{server}", "--source-credential=producer", "--datasets=customers")
    assert run("one", *flags).error is None


def test_a_commit_that_is_not_on_the_branch_is_not_run(case, git_job):
    repository, run = git_job
    git(repository, "checkout", "--quiet", "-b", "stray")
    (repository / "note").write_text("x")
    commit(repository)
    record(case, repository)
    result = run("one")
    assert (result.code, result.retryable) == (ResultCode.ERROR, False)
    assert "the branch 'main' has no such commit" in result.error


def serve(folder: Path, platform: str, *datasets: str) -> None:
    """Add a dataset group of Store1 to the model, and that the platform serves it."""
    sinks = [{"datastore": "Store1", "dataset": dataset} for dataset in datasets]
    workspaces = [{"name": "Consumer", "dataset_groups": [{"name": "Group", "sinks": sinks}]}]
    model = yaml.safe_load((folder / "ecosystem.yaml").read_text())
    (folder / "ecosystem.yaml").write_text(yaml.safe_dump({**model, "workspaces": workspaces}))
    assignments = [{"dataPlatform": platform, "status": "PROVISIONED"}]
    mapping = [{"dsgName": "Group", "workspace": "Consumer", "assignments": assignments}]
    (folder / "dsg_platform_mapping.json").write_text(json.dumps(mapping))


def record(case, repository: Path) -> str:
    """What sync records: the commit at which the repository stands."""
    synced = git(repository, "rev-parse", "HEAD")
    case.execute(
        f"""CREATE TABLE yellowlive_model_state (id int PRIMARY KEY, model_commit text);
            INSERT INTO yellowlive_model_state VALUES (1, '{synced}')""",
        on=case.target,
    )
    return synced


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(repository: Path) -> None:
    git(repository, "add", "--all")
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    git(repository, *who, "commit", "--quiet", "--message=model")
