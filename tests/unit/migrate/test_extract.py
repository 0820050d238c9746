"""`dagfactory migrate extract`: static DAG files of several kinds, read by their syntax tree into rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app
from airflow_plugin.migrate.defaults import stream_defaults
from airflow_plugin.migrate.extract import extracted
from airflow_plugin.static_dags.static_dag import static_files
from airflow_plugin.streams.transfer import imported
from config_schema.errors import StreamFactoryError
from config_schema.load import load_model

STATIC = Path(__file__).parent / "static_dags"
EXAMPLES = Path(config_schema.__file__).parent / "examples"
STORE3 = ('datasets=["carts"]', "source_credential_secret_name=shop")


@pytest.fixture(autouse=True)
def no_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path / "settings"))


def extract(*arguments: object):
    return CliRunner().invoke(app, ["migrate", "extract", *map(str, arguments)])


def configs(path: Path, *defaults: str):
    """The configs of a file's streams, by stream_key; what a file does not say is the example model's."""
    known = stream_defaults(load_model(EXAMPLES), defaults)
    found = [extracted(dag, known) for dag in static_files(path).dags]
    assert [problem for one in found for problem in one.problems] == []
    return {one.config.stream_key: one.config for one in found}


def problems(path: Path, *defaults: str) -> list[str]:
    known = stream_defaults(load_model(EXAMPLES), defaults)
    return [str(one) for dag in static_files(path).dags for one in extracted(dag, known).problems]


def written(tmp_path: Path, text: str, base: str = "yellowlive__Store1_ingestion.py", **changes: str) -> Path:
    """A file of ours with pieces replaced, and a text before its DAG."""
    body = (STATIC / base).read_text()
    for old, new in changes.items():
        assert old in body
        body = body.replace(old, new)
    path = tmp_path / "dag.py"
    path.write_text(body.replace("default_args = {", text + "\ndefault_args = {", 1))
    return path


def test_the_rows_of_a_folder_are_written_as_import_takes_them(tmp_path):
    rows = tmp_path / "streams.yaml"
    done = extract(STATIC, "--model", EXAMPLES, "--out", rows)
    assert done.exit_code == 1  # one file can be read in part only
    text = rows.read_text()
    assert [change.stream_key for change in imported(text, "", "YellowLive")] == [
        "Store2#orders",
        "Store2#customers",
        "Store1",
    ]
    assert yaml.safe_load(text)["platforms"]["YellowForensic"]["Store1"]["status"] == "active"
    assert "yellowlive_infrastructure_dag.py: no ingestion DAG" in done.stderr
    assert "4 streams" in done.stderr
    assert "not for any log" not in text + done.output


def test_a_file_of_airflow_2_gives_what_it_says_and_the_model_the_rest(tmp_path):
    config = configs(STATIC / "yellowlive__Store1_ingestion.py")["Store1"]
    assert (config.dag_id, config.schedule, config.retries) == ("yellowlive__Store1_ingestion", "@hourly", 1)
    assert (config.owner, config.tags, config.image_pull_policy) == ("ingestion", ("ingestion",), "Always")
    assert config.resources == {"requests": {"memory": "256Mi", "cpu": "100m"}}
    assert config.postgres_credential_secret_name == "postgres"
    assert config.source_credential_secret_name == "customer-db"
    assert (config.git_credential_secret_name, config.slack_credential_secret_name) == ("git", "slack")
    assert (config.datasets, config.postgres_hostname) == (("customers", "addresses"), "pg-data")  # of the model


def test_a_file_of_airflow_3_is_read_through_its_constants_f_strings_and_small_functions():
    config = configs(STATIC / "yellowforensic__Store1_ingestion.py")["Store1"]
    assert (config.dag_id, config.milestoning) == ("yellowforensic__Store1_ingestion", "forensic")
    assert (config.schedule, config.timezone) == ("*/10 * * * *", "Europe/Zurich")
    assert config.datasurface_docker_image == "registry.example/merge-job:0.1.0"
    assert config.namespace_name == "ns-yellow-forensic"
    assert config.resources == {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi", "cpu": "1"}}
    assert (config.on_failed_pod, config.service_account) == ("keep", "ingestion")
    assert (config.node_selector, config.tags) == ({"disk": "ssd"}, ("audit",))
    assert config.source_credential_secret_name == "customer-db"


def test_each_dag_of_a_loop_is_a_stream_of_one_dataset():
    found = configs(STATIC / "datasets_of_Store2.py")
    assert list(found) == ["Store2#orders", "Store2#customers"]
    config = found["Store2#orders"]
    assert (config.single_dataset, config.datasets, config.schedule) == (True, ("orders",), "*/15 * * * *")
    assert (config.execution_timeout, config.pool, config.retries) == (1800, "ingestion", 0)
    assert (config.on_failed_pod, config.owner) == ("keep", "shop")
    # Its only login is for both databases.
    assert config.source_credential_secret_name == config.postgres_credential_secret_name == "postgres"
    assert config.dag_id == "yellowlive__Store2__orders_ingestion"


def test_what_cannot_be_read_is_reported_with_file_line_and_what_to_do():
    path = STATIC / "partly_unreadable.py"
    reported = problems(path, *STORE3)
    assert f"{path}:21: schedule: what schedule_of_today() gives is known only where the file runs" in reported[0]
    assert f"{path}:23: retries: \"int(Variable.get('retries'))\" is known only where" in reported[1]
    assert f"{path}:10: datasurface_docker_image: \"os.environ.get('MERGE_IMAGE'" in reported[2]
    assert all("or give --default" in one for one in reported)
    assert len(reported) == 3


def test_a_default_stands_in_for_what_cannot_be_read():
    given = (*STORE3, "schedule=@daily", "retries=4", "datasurface_docker_image=registry.example/merge-job:0.1.0")
    config = configs(STATIC / "partly_unreadable.py", *given)["Store3"]
    assert (config.schedule, config.retries, config.datasets) == ("@daily", 4, ("carts",))


def test_what_nobody_says_is_named_in_one_problem():
    known = stream_defaults(None, [])
    (dag,) = static_files(STATIC / "yellowlive__Store1_ingestion.py").dags
    (problem,) = extracted(dag, known).problems
    assert "say datasets, postgres_hostname, postgres_database, postgres_port, git_repo_url" in problem.what
    assert problem.todo == "Give --model, or --default KEY=VALUE for each"


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ('schedule="0 3 * * 1"', "0 3 * * 1"),
        ("schedule=None", None),
        ('schedule_interval="@daily"', "@daily"),
        ("schedule=timedelta(hours=6)", "0 */6 * * *"),
        ("schedule=timedelta(days=1)", "@daily"),
        ('schedule=CronTriggerTimetable("5 * * * *", timezone="UTC")', "5 * * * *"),
    ],
)
def test_a_schedule_is_read_in_each_way_that_airflow_takes_it(tmp_path, schedule, wanted):
    extra = "from airflow.timetables.trigger import CronTriggerTimetable"
    path = written(tmp_path, extra, **{'schedule="@hourly"': schedule})
    assert configs(path)["Store1"].schedule == wanted


@pytest.mark.parametrize(
    ("schedule", "reported"),
    [
        ("schedule=timedelta(minutes=7)", "no cron comes as often as this timedelta"),
        ("schedule=[Asset('s3://landing')]", "several assets is no cron"),
        ("max_active_tasks=3", "daily in Airflow 2 and none in Airflow 3"),
        ('schedule="every day"', "'every day' is not well formed"),
    ],
)
def test_a_schedule_that_no_row_can_have_is_a_problem(tmp_path, schedule, reported):
    path = written(tmp_path, "from airflow.sdk import Asset", **{'schedule="@hourly"': schedule})
    (problem,) = problems(path)
    assert reported in problem


ON_MACHINE = "import os\nIN_PRODUCTION = os.environ.get('PROD')\n"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("if IN_PRODUCTION:\n    env_vars.append(1)", "env"),
        ("if IN_PRODUCTION:\n    default_args['retries'] = 5", "retries"),
        ("if IN_PRODUCTION:\n    default_args.update(retries=5)", "retries"),
        ("if IN_PRODUCTION:\n    default_args = {}", "retries"),
        ("for _ in os.listdir():\n    env_vars.append(1)", "env"),
        ("for one in (1, 2):\n    if one == 2:\n        continue\n    env_vars += [one]", "env"),
        ("while True:\n    env_vars = []", "env"),
        ("env_vars.insert(0, 1)", "env"),
        ("del env_vars[0]", "env"),
        ("env_vars[0] = 1", "env"),
        ("env_vars += more_variables()", "env"),
        ("def more(many):\n    many.append(1)\n    return many\n\n\nmore(env_vars)", "env"),
        ("def more():\n    env_vars.append(1)\n    return 1\n\n\nmore()", "env"),
        ("def more():\n    global env_vars\n    env_vars = []\n    return 1\n\n\nmore()", "env"),
    ],
)
def test_what_something_unread_may_have_changed_is_not_known_any_more(tmp_path, text, key):
    path = tmp_path / "dag.py"
    body = (STATIC / "yellowlive__Store1_ingestion.py").read_text()
    before = "def next_action" if key == "env" else "dag = DAG("
    path.write_text(body.replace(before, f"{ON_MACHINE}{text}\n\n\n{before}", 1))
    reported = problems(path)
    assert any(f": {key}: " in one for one in reported)


@pytest.mark.parametrize("word", ["break", "continue"])
def test_a_loop_that_is_left_early_is_not_followed(tmp_path, word):
    loop = f"for tag in ('a', 'b'):\n    if tag == 'b':\n        {word}\n    TAGS.append(tag)\n"
    path = written(tmp_path, "TAGS = []\n" + loop, **{'["ingestion", "yellowlive", "Store1"]': "TAGS"})
    (problem,) = problems(path)
    assert "tags: the loop goes over no list, or leaves it early" in problem


def test_a_list_that_grows_grows_for_all_who_hold_it(tmp_path):
    text = "BASE = ['a']\nOTHER = BASE\nOTHER += ['b']\nOTHER.append('c')\n"
    path = written(tmp_path, text, **{'["ingestion", "yellowlive", "Store1"]': "BASE"})
    assert configs(path)["Store1"].tags == ("a", "b", "c")


def test_nothing_of_a_file_is_run(tmp_path):
    witness = tmp_path / "ran"
    path = written(tmp_path, f"open({str(witness)!r}, 'w').write('x')\nimport os\nos.system('touch {witness}')")
    assert list(configs(path)) == ["Store1"]
    assert not witness.exists()


@pytest.mark.parametrize(
    "text",
    [
        "NAME = 'x'\n" + "NAME = NAME + NAME\n" * 60,
        "NAME = '{:99999999999}'.format(1) + '%99999999999d' % 1",
        "NAME = 10 ** 10 ** 10\nNAME = 9 * 10**11 * 10**11",
        "def f(x=1):\n    return f(x)\n\n\nNAME = f()",
        "NAME = [0]\nNAME.extend(NAME)\n" + "NAME = NAME + NAME\n" * 60,
        "NAME = [[1] * 3 for a in range(10)]",
    ],
    ids=["doubled text", "wide formats", "large numbers", "endless calls", "doubled lists", "not a list"],
)
def test_a_file_that_would_take_all_memory_takes_none(tmp_path, text):
    path = written(tmp_path, text, **{'"owner": "ingestion"': '"owner": NAME'})
    (problem,) = problems(path)
    assert ": owner: " in problem


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        (
            "\n".join(f"{'  ' * i}for v{i} in {list(range(100))}:" for i in range(6)) + "\n" + "  " * 6 + "pass",
            "too long",
        ),
        (f"L = {list(range(999))}\nX = [[[1 for a in L] for b in L] for c in L]", "too long to follow"),
        ("env_vars = []\nenv_vars.append(env_vars)", "nested too deep"),
        ("env_vars = {}\nenv_vars['a'] = env_vars", "nested too deep"),
    ],
)
def test_a_file_that_would_take_all_day_is_a_problem(tmp_path, text, reported):
    path = tmp_path / "dag.py"
    body = (STATIC / "yellowlive__Store1_ingestion.py").read_text()
    path.write_text(body.replace("def next_action", f"{text}\n\n\ndef next_action", 1))
    (problem,) = static_files(path).problems
    assert reported in problem.what


def test_a_file_that_is_no_python_is_a_problem_and_the_others_are_read(tmp_path):
    (tmp_path / "broken.py").write_text("dag = DAG(\n  'a' 'b',\n  'c'\n")
    (tmp_path / "deep.py").write_text("x = " + "(" * 5000 + ")" * 5000)
    (tmp_path / "good.py").write_text((STATIC / "yellowlive__Store1_ingestion.py").read_text())
    done = extract(tmp_path, "--model", EXAMPLES)
    assert done.exit_code == 1
    assert f"{tmp_path}/broken.py:1: it is no Python" in done.stderr
    assert f"error: {tmp_path}/deep.py" in done.stderr
    assert "Traceback" not in done.output
    assert yaml.safe_load(done.stdout)["platforms"]["YellowLive"]["Store1"]


def test_a_stream_that_two_files_have_is_reported_with_both(tmp_path):
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text((STATIC / "yellowlive__Store1_ingestion.py").read_text())
    done = extract(tmp_path, "--model", EXAMPLES)
    assert f"{tmp_path}/two.py:21: Store1 on YellowLive is in {tmp_path}/one.py:21 too" in done.stderr
    assert done.exit_code == 1


def test_a_flag_that_no_config_has_a_key_for_is_named(tmp_path):
    path = written(tmp_path, "", **{'"/workspace/model",\n': '"/workspace/model",\n        "--new-way",\n'})
    done = extract(path, "--model", EXAMPLES)
    assert "no config has a key for --new-way" in done.stderr
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("default", "reported"),
    [("shedule=@daily", "Did you mean 'schedule'?"), ("schedule", "'schedule' sets no key")],
)
def test_a_default_that_sets_nothing_is_refused(default, reported):
    done = extract(STATIC, "--default", default)
    assert isinstance(done.exception, StreamFactoryError)
    assert reported in str(done.exception)


def test_a_folder_without_files_is_an_error(tmp_path):
    done = extract(tmp_path)
    assert isinstance(done.exception, StreamFactoryError)
    assert "there is no DAG file" in str(done.exception)
