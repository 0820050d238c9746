"""A model that is code: sync records what it gives, jobs read that and run none of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psycopg2
import pytest

import config_schema
from airflow_plugin.control.connection import connect
from airflow_plugin.control.model_state import COMPILED_MODELS_KEPT, ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.sync.apply import CompiledDiffers
from config_schema.errors import FileMalformed
from config_schema.load import load_model
from config_schema.load.documents import plain
from config_schema.model.compiled import CompiledModel, compiled_from_json
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.run.model_source import GitModel, ModelNotRecorded, synced_model
from tests.database.sync.command import git

EXAMPLES = Path(config_schema.__file__).parent / "examples"
TRAP = "/tmp/a-model-s-code-has-run-in-a-job"


def code(body: str = "") -> str:
    data = plain(load_model(EXAMPLES).ecosystem)
    return f"""
from config_schema.load.documents import structured
from config_schema.model import Ecosystem
data = {data!r}
def createEcosystem():
    {body or "pass"}
    return structured(data, Ecosystem)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(EXAMPLES / "dsg_platform_mapping.json", folder)
    (folder / "eco.py").write_text(code())
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder


def commit(folder: Path) -> str:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=The model")
    return git(folder, "rev-parse", "HEAD")


def read_by_a_job(synced, model: Path):
    parts = psycopg2.extensions.parse_dsn(synced.dsns["yellowlive"])
    password = parts.get("password", "")
    place = ConnectionInfo(parts["host"], int(parts["port"]), parts["dbname"], "public", parts["user"], password)
    return synced_model(GitModel(f"file://{model}", "main", "git"), place, "YellowLive")


def test_a_job_reads_what_sync_recorded_and_runs_no_code(dagfactory, model, synced, monkeypatch):
    done = dagfactory("sync", model, "--yes")
    assert done.returncode == 0, done.stderr
    monkeypatch.setattr("config_schema.load.python_model.evaluate", lambda *_: pytest.fail("code was run"))
    found, at = read_by_a_job(synced, model)
    assert found == load_model(EXAMPLES)
    assert at == git(model, "rev-parse", "HEAD")


def test_a_job_says_what_to_run_where_nothing_was_recorded(dagfactory, model, synced):
    assert dagfactory("sync", model, "--yes").returncode == 0
    for statement in ("DELETE FROM yellowlive_compiled_model", "DROP TABLE yellowlive_compiled_model"):
        synced.execute(statement)
        with pytest.raises(ModelNotRecorded) as caught:
            read_by_a_job(synced, model)
        assert "dagfactory sync" in caught.value.todo
    # An installation that was synced before this was recorded: the same commit is compiled, though no row changes.
    assert dagfactory("sync", model, "--yes").returncode == 0
    assert read_by_a_job(synced, model)[0] == load_model(EXAMPLES)


def test_what_was_recorded_of_other_files_is_not_read(dagfactory, model, synced):
    assert dagfactory("sync", model, "--yes").returncode == 0
    synced.execute("UPDATE yellowlive_compiled_model SET digest = 'of other files'")
    with pytest.raises(ModelNotRecorded):
        read_by_a_job(synced, model)


def test_what_is_no_compiled_model_is_refused_in_words(dagfactory, model, synced):
    assert dagfactory("sync", model, "--yes").returncode == 0
    for document in ("[", "{}", "[" * 100_000, '{"format": 99}'):
        synced.execute("UPDATE yellowlive_compiled_model SET document = %s", document)
        with pytest.raises(FileMalformed, match=r"no compiled model|it has format 99"):
            read_by_a_job(synced, model)


def test_a_sync_takes_what_was_compiled_before_and_runs_nothing(dagfactory, model, synced, tmp_path):
    made = tmp_path / "compiled.json"
    assert dagfactory("model", "compile", model, "--out", made).returncode == 0
    assert compiled_from_json(made.read_text(), "").commit == git(model, "rev-parse", "HEAD")
    # What would be run now gives something else.
    other = compiled_from_json(made.read_text(), "")
    other.ecosystem["platforms"][0]["timezone"] = "Europe/Vienna"
    made.write_text(other.to_json())
    done = dagfactory("sync", model, "--yes", "--compiled", made)
    assert done.returncode == 0, done.stderr
    assert read_by_a_job(synced, model)[0].ecosystem.platforms[0].timezone == "Europe/Vienna"


@pytest.mark.parametrize("from_where", ["folder", "repository"])
def test_what_was_compiled_where_no_commit_was_known_is_recorded_for_the_synced_one(
    dagfactory, model, synced, tmp_path, from_where
):
    made, copy = tmp_path / "compiled.json", tmp_path / "copy"
    shutil.copytree(model, copy, ignore=shutil.ignore_patterns(".git"))
    assert dagfactory("model", "compile", copy, "--out", made).returncode == 0
    assert compiled_from_json(made.read_text(), "").commit is None
    where = [model] if from_where == "folder" else ["--git-repo-url", f"file://{model}"]
    done = dagfactory("sync", *where, "--yes", "--compiled", made)
    assert done.returncode == 0, done.stderr
    assert read_by_a_job(synced, model)[1] == git(model, "rev-parse", "HEAD")


def test_what_was_compiled_of_other_files_is_refused_by_sync(dagfactory, model, synced, tmp_path):
    made = tmp_path / "compiled.json"
    assert dagfactory("model", "compile", model, "--out", made).returncode == 0
    (model / "eco.py").write_text(code("data['platforms'][0]['timezone'] = 'Europe/Rome'"))
    commit(model)
    for from_where in ([model], ["--git-repo-url", f"file://{model}"]):
        done = dagfactory("sync", *from_where, "--yes", "--compiled", made)
        at = compiled_from_json(made.read_text(), "").commit
        if from_where == [model]:
            assert done.returncode == 1
            assert "was made of other files" in done.stderr
        else:
            # From a repository the commit that was compiled is taken, not the branch's head.
            assert done.returncode == 0, done.stderr
            assert synced.commit_recorded() == at


def test_a_compiled_file_that_is_missing_or_broken_is_one_clear_error(dagfactory, model, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text("[]")
    for path, said in (
        (tmp_path / "none.json", "was not compiled apart from the secrets"),
        (broken, "it is no compiled model"),
    ):
        done = dagfactory("sync", model, "--yes", "--compiled", path)
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_code_that_gives_another_model_later_is_refused(synced):
    first = CompiledModel("c1", "d", {"name": "One"})
    synced.sync("c1", compiled=first)
    synced.sync("c1", compiled=first)
    with pytest.raises(CompiledDiffers, match="gives another ecosystem than when it was compiled first"):
        synced.sync("c1", compiled=CompiledModel("c1", "d", {"name": "Two"}))
    assert [json.loads(text)["ecosystem"] for (text,) in documents(synced)] == [{"name": "One"}]


def test_the_newest_compiled_models_are_kept(synced):
    for number in range(COMPILED_MODELS_KEPT + 3):
        synced.sync(f"c{number}", compiled=CompiledModel(f"c{number}", "d", {}))
    kept = {json.loads(text)["commit"] for (text,) in documents(synced)}
    assert kept == {f"c{number}" for number in range(3, COMPILED_MODELS_KEPT + 3)}


def test_the_model_that_was_applied_last_is_compared_without_running_its_code(dagfactory, model, synced):
    assert dagfactory("sync", model, "--yes").returncode == 0
    (model / "eco.py").write_text(code("data['datastores'][0]['datasets'][0]['primary_key'] = ['firstName']"))
    before = git(model, "rev-parse", "HEAD")
    commit(model)
    # Were the code of the commit before run again, it would be seen to give this.
    with connect(synced.dsns["yellowlive"], "test") as connection:
        state = ModelState(ControlSession(connection, "yellowlive"))
        [row] = state.compiled(before)
        row.ecosystem["datastores"][0]["datasets"][0]["primary_key"] = ["firstName"]
        state.record_compiled(row, compiled_by="test")
        connection.commit()
    assert "its primary key was" not in dagfactory("plan", model, "--platform", "YellowLive").stderr


@pytest.mark.parametrize("from_a_folder", [True, False], ids=["folder", "repository"])
def test_a_sync_of_a_compiled_model_runs_no_code_of_the_commit_before_either(
    dagfactory, model, synced, tmp_path, from_a_folder
):
    assert dagfactory("sync", model, "--yes").returncode == 0
    synced.execute("DELETE FROM yellowlive_compiled_model")  # as whoever writes there could
    synced.execute("DELETE FROM yellowforensic_compiled_model")
    (model / "README.md").write_text("another commit")
    commit(model)
    made = tmp_path / "compiled.json"
    assert dagfactory("model", "compile", model, "--out", made).returncode == 0
    where = [model] if from_a_folder else ["--git-repo-url", f"file://{model}"]
    done = dagfactory("sync", *where, "--yes", "--compiled", made)
    assert done.returncode == 1
    assert "what it gave is not recorded, and code is not run beside secrets" in done.stderr
    assert dagfactory("sync", *where, "--yes", "--compiled", made, "--force-rollback").returncode == 0


def documents(synced) -> list[tuple[str]]:
    return synced.execute("SELECT document FROM yellowlive_compiled_model")
