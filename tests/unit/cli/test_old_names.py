"""An old name does what it did, prints its new name on standard error, and stands in no list."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.old_names import RENAMED
from airflow_plugin.cli.program import app
from airflow_plugin.preview.candidates import candidates_of_model
from config_schema.errors import SHARED_LOG_VARIABLE
from config_schema.load import load_model
from tests.docs.readme import commands

EXAMPLES = Path(config_schema.__file__).parent / "examples"
MODEL = ["--model", str(EXAMPLES), "--platform", "YellowLive"]
PLATFORM = ["--platform", "YellowLive"]
AIRFLOW = ["--airflow-url", "http://localhost:1"]
CASES = {
    "db init": (MODEL, ["db", "upgrade", *MODEL]),
    "platform tables": (MODEL, ["db", "upgrade", *MODEL]),
    "db check": ([*MODEL, "--json"], ["doctor", "--merge-stores", *MODEL, "--json"]),
    "dag show": (["Store1", *MODEL, "--no-airflow"], ["streams", "preview", "Store1", *MODEL, "--no-airflow"]),
    "dag simulate": (
        ["store1.json", *MODEL[:2], "--no-airflow"],
        ["streams", "preview", "--file", "store1.json", *MODEL[:2], "--no-airflow"],
    ),
    "snapshot show": (PLATFORM, ["platform", "last-good", *PLATFORM]),
    "snapshot accept": ([*PLATFORM, "Store1"], ["platform", "last-good", *PLATFORM, "Store1", "--forget"]),
    "streams edit": (["Store1", *PLATFORM], ["streams", "set", "Store1", "--editor", *PLATFORM]),
    "migrate rollback": (["dag.py", *AIRFLOW], ["migrate", "cutover", "dag.py", "--undo", *AIRFLOW]),
}
OF_THE_JOB = [one for one in RENAMED if one.passed_through]


def note(old: str) -> str:
    (new,) = (one.new for one in RENAMED if one.old == old)
    return f"dagfactory {old} is now {new}: the old name goes with a later release\n"


def run(folder: Path, *arguments: str):
    environment = {name: None for name in os.environ if name.startswith("DAGFACTORY_")}
    return CliRunner().invoke(app, arguments, env={**environment, "DAGFACTORY_SETTINGS_DIR": str(folder)})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (config,) = (
        one.config_json for one in candidates_of_model(load_model(EXAMPLES), "") if "YellowLive" in one.config_json
    )
    (tmp_path / "store1.json").write_text(config)
    (tmp_path / "dag.py").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("old", CASES)
def test_an_old_name_does_what_the_new_one_does_and_says_it(old, folder):
    given, new = CASES[old]
    before, after = run(folder, *old.split(), *given), run(folder, *new)
    assert before.stderr == note(old) + after.stderr
    assert (before.exit_code, before.stdout, str(before.exception)) == (
        after.exit_code,
        after.stdout,
        str(after.exception),
    )
    assert before.exit_code != 2


@pytest.mark.parametrize("one", OF_THE_JOB, ids=lambda one: one.old)
def test_an_old_name_of_a_command_of_the_job_becomes_the_job_and_says_its_new_name(one):
    command = [sys.executable, "-m", "airflow_plugin", *one.old.split(), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, note(one.old))
    own = one.new.partition(" --")[0]
    assert f"Usage: {own} " in done.stdout


def test_each_old_name_is_tried_above_hidden_and_has_a_new_one_that_is_listed():
    assert {one.old for one in RENAMED} == CASES.keys() | {one.old for one in OF_THE_JOB}
    listed, known = commands().keys(), commands(hidden=True).keys()
    for one in RENAMED:
        assert f"dagfactory {one.old}" in known - listed
        assert one.new.partition(" --")[0] in listed


OLD_OPTIONS = {
    "streams export": ({"--file": "--out"}, PLATFORM),
    "plan": ({"--branch": "--git-repo-branch"}, [str(EXAMPLES), "--git-repo-url", "file:///nowhere"]),
    "sync": ({"--branch": "--git-repo-branch"}, [str(EXAMPLES), "--git-repo-url", "file:///nowhere"]),
    "model fetch": ({"--branch": "--git-repo-branch"}, ["--git-repo-url", "file:///nowhere", "--out", "model"]),
}


@pytest.mark.parametrize("form", ["{} there", "{}=there"])
@pytest.mark.parametrize("command", OLD_OPTIONS)
def test_an_old_name_of_an_option_does_what_the_new_one_does_and_says_it(command, form, folder):
    names, given = OLD_OPTIONS[command]
    ((old, new),) = names.items()
    before = run(folder, *command.split(), *given, *form.format(old).split())
    after = run(folder, *command.split(), *given, *form.format(new).split())
    assert before.stderr == f"{old} is now {new}: the old name goes with a later release\n" + after.stderr
    assert (before.exit_code, str(before.exception)) == (after.exit_code, str(after.exception))
    assert before.exit_code != 2


def test_every_option_that_has_an_old_name_is_tried_above():
    with_old = {name: one.old_options for name, one in commands().items() if getattr(one, "old_options", {})}
    assert with_old == {f"dagfactory {name}": old for name, (old, _) in OLD_OPTIONS.items()}


def test_an_old_option_is_not_noted_where_nobody_who_reads_it_has_written_it():
    environment = {SHARED_LOG_VARIABLE: "1"}
    done = CliRunner().invoke(app, ["sync", "--branch=x", "--git-repo-url=file:///nowhere"], env=environment)
    assert "is now" not in done.stderr
    assert "nowhere" in str(done.exception)


def test_create_tables_says_its_new_name_and_makes_files_and_tables(folder):
    done = run(folder, "bootstrap", *MODEL, "--out", str(folder), "--create-tables")
    assert "--create-tables is now dagfactory db upgrade: it goes with a later release\n" in done.stderr
    assert (folder / "dags" / "yellowlive_factory.py").exists()
    assert "YELLOWLIVE" in str(done.exception)  # the merge store cannot be reached, as nobody says how


@pytest.mark.parametrize(
    "wrong",
    [
        ["streams", "set", "Store1", *PLATFORM],
        ["streams", "set", "Store1", "retries=1", "--editor", *PLATFORM],
        ["streams", "preview", *MODEL],
        ["platform", "last-good", "Store1", *PLATFORM],
    ],
    ids=" ".join,
)
def test_options_that_do_not_go_together_are_refused(wrong, folder):
    assert run(folder, *wrong).exit_code == 2
