"""The job model: sync writes each stream's part of the model, and a job reads its row and no repository."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from airflow_plugin.control.connection import connect
from airflow_plugin.control.job_model import JobModelTable
from airflow_plugin.control.session import ControlSession
from config_schema.errors import ValueWrong
from config_schema.job_model import JobModelBroken, JobModels, state_of
from config_schema.load import load_model
from config_schema.load.git_errors import RevisionMissing
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.errors import DatabaseFailed
from merge_jobs.run import model_source
from merge_jobs.run.flags import ModelFlags, StoreFlags
from merge_jobs.run.model_source import GitModel, model_by_git, synced_model, synced_stream
from merge_jobs.run.request import Request, job_of
from merge_jobs.run.source_policy import RowOutdated, SourceNotAdmitted
from merge_jobs.stream import stream_of
from tests.database.sync.command import edit, git

SECRETS = {"POSTGRES_USERNAME": "u", "POSTGRES_PASSWORD": "p", "CUSTOMER_DB_USERNAME": "u", "CUSTOMER_DB_PASSWORD": "p"}


@pytest.fixture
def model(model: Path) -> Path:
    """The example model, whose repository is itself."""
    edit(model, "https://git.example/team/model.git", f"file://{model}")
    return model


class Reader:
    """A job, as far as it reads its model."""

    def __init__(self, synced, model: Path) -> None:
        self.synced, self.model = synced, model
        self.git = GitModel(f"file://{model}", "main", "git")
        self.parts = psycopg2.extensions.parse_dsn(synced.dsns["yellowlive"])

    @property
    def place(self) -> ConnectionInfo:
        parts = self.parts
        where = parts["host"], int(parts["port"]), parts["dbname"]
        return ConnectionInfo(*where, "public", parts["user"], parts.get("password", ""))

    def stream(self, key: str = "Store1", git: GitModel | None = None, platform: str = "YellowLive"):
        return synced_stream(git or self.git, self.place, platform, [key])

    def job(self, store: str = "Store1", **request):
        flags = StoreFlags(self.parts["host"], int(self.parts["port"]), self.parts["dbname"], None, "postgres")
        return job_of(Request("YellowLive", store, "run-1", ModelFlags(git=self.git), flags, **request))


@pytest.fixture
def reader(synced, model, monkeypatch) -> Reader:
    found = Reader(synced, model)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("POSTGRES_USERNAME", found.parts["user"])
    monkeypatch.setenv("POSTGRES_PASSWORD", found.parts.get("password", ""))
    return found


@pytest.fixture
def no_git(monkeypatch):
    monkeypatch.setattr(model_source, "model_by_git", lambda *_: pytest.fail("the repository was read"))
    monkeypatch.setattr("merge_jobs.run.flags.model_by_git", lambda *_: pytest.fail("the repository was read"))


def applied(dagfactory, model: Path, *more: str) -> str:
    done = dagfactory("sync", model, "--yes", *more)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def rows(synced, platform: str = "yellowlive") -> dict[tuple[str, str], tuple[str, str]]:
    found = synced.execute(f"SELECT kind, key, model_commit, xmin::text FROM {platform}_job_model")
    return {(kind, key): (commit, written) for kind, key, commit, written in found}


def rewritten(synced, edited, kind: str = "stream") -> None:
    """Change a document as somebody would who may write the table, with the digest that belongs to it."""
    [(text,)] = synced.execute("SELECT document FROM yellowlive_job_model WHERE kind = %s", kind)
    document = json.loads(text)
    edited(document)
    text = json.dumps(document)
    digest = hashlib.sha256(text.encode()).hexdigest()
    synced.execute("UPDATE yellowlive_job_model SET document = %s, digest = %s WHERE kind = %s", text, digest, kind)


def test_a_job_reads_its_row_and_no_repository(dagfactory, model, synced, reader):
    said = applied(dagfactory, model)
    assert "YellowLive: its jobs read 3 rows of the model, 3 written, 0 deleted" in said
    whole, commit = model_by_git(reader.git, reader.place, "YellowLive")
    shutil.rmtree(model)
    found, at = reader.stream()
    assert at == commit
    of_row, of_git = (stream_of(one.ecosystem, "YellowLive", "Store1") for one in (found, whole))
    assert of_row.datasets == of_git.datasets
    assert (of_row.fingerprint, of_row.origin, of_row.references) == (of_git.fingerprint, of_git.origin, {})
    assert of_row.platform.merge_store == of_git.platform.merge_store
    job = reader.job(datasets=("customers", "addresses"), source_credential="customer-db")
    assert (job.model_commit, job.stream.key) == (commit, "Store1")
    of_platform, at = synced_model(reader.git, reader.place, "YellowLive")
    assert at == commit
    assert [one.name for one in of_platform.ecosystem.platforms] == ["YellowLive", "YellowForensic"]


def test_unchanged_rows_stay_and_a_second_sync_writes_nothing(dagfactory, model, synced, reader):
    applied(dagfactory, model)
    before, first = rows(synced), git(model, "rev-parse", "HEAD")
    assert "its jobs read" not in applied(dagfactory, model)
    assert rows(synced) == before
    edit(model, "The customers of the shop", "All customers of the shop")  # no job looks at it
    assert "3 rows of the model, 0 written, 0 deleted" in applied(dagfactory, model)
    assert rows(synced) == before
    assert reader.stream()[1] == git(model, "rev-parse", "HEAD") != first
    edit(model, "{name: phone, type: varchar(100)", "{name: phone, type: varchar(120)")
    assert "3 rows of the model, 1 written, 0 deleted" in applied(dagfactory, model)
    changed = {key for key, row in rows(synced).items() if row != before[key]}
    assert changed == {("stream", "Store1")}


def test_a_commit_that_the_branch_does_not_have_is_left_to_git(dagfactory, model, synced, reader, tmp_path):
    published = tmp_path / "published"
    edit(model, f"file://{model}", f"file://{published}")
    git(tmp_path, "clone", "--quiet", "--bare", str(model), str(published))
    reader.git = GitModel(f"file://{published}", "main", "git")
    applied(dagfactory, model)
    assert reader.stream() is not None
    edit(model, "{name: phone, type: varchar(100)", "{name: phone, type: varchar(120)")
    said = applied(dagfactory, model)
    assert f"branch main of file://{published} does not have commit" in said
    assert reader.stream() is None
    with pytest.raises(RevisionMissing) as missing:
        reader.job()
    assert missing.value.revision == git(model, "rev-parse", "HEAD")
    git(model, "push", "--quiet", str(published), "main")
    assert "3 rows of the model, 1 written" in applied(dagfactory, model)
    assert reader.stream()[1] == git(model, "rev-parse", "HEAD")


def test_a_branch_that_cannot_be_seen_is_said_and_jobs_go_on_by_git(dagfactory, model, synced, reader, tmp_path):
    edit(model, f"file://{model}", f"file://{tmp_path}/away")
    assert f"branch main of file://{tmp_path}/away cannot be seen from here" in applied(dagfactory, model)
    assert rows(synced) == {}
    assert reader.stream() is None


def test_a_model_that_is_not_at_the_top_of_its_repository_is_left_to_git(dagfactory, model, synced):
    inside = model / "inside"
    inside.mkdir()
    for name in ("ecosystem.yaml", "dsg_platform_mapping.json"):
        git(model, "mv", name, f"inside/{name}")
    git(model, "commit", "--quiet", "--all", "--message=Move it")
    assert "at its top" in applied(dagfactory, inside)
    assert rows(synced) == {}


@pytest.mark.parametrize("other", [{"branch": "release"}, {"url": "file:///elsewhere"}])
def test_what_was_seen_on_another_branch_or_repository_is_not_read(dagfactory, model, synced, reader, other):
    applied(dagfactory, model)
    asked = {"url": reader.git.url, "branch": "main", "credential": "git"} | other
    assert reader.stream(git=GitModel(**asked)) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE yellowlive_model_state SET model_commit = 'of an older program'",
        "UPDATE yellowlive_model_state SET job_model_format = 99",
        "UPDATE yellowlive_model_state SET job_model_commit = NULL",
        "DELETE FROM yellowlive_job_model WHERE kind = 'stream'",
        "DELETE FROM yellowlive_job_model WHERE kind = 'platform'",
        "DELETE FROM yellowlive_model_state",
        "ALTER TABLE yellowlive_model_state DROP COLUMN job_model_branch",
        "DROP TABLE yellowlive_job_model",
        "DROP TABLE yellowlive_model_state",
    ],
)
def test_an_installation_that_lacks_it_goes_on_by_git(dagfactory, model, synced, reader, statement):
    applied(dagfactory, model)
    synced.execute(statement)
    assert reader.stream() is None


def test_a_login_that_may_not_read_it_goes_on_by_git(dagfactory, model, synced, reader, postgres):
    applied(dagfactory, model)
    synced.execute("REVOKE ALL ON yellowlive_job_model FROM CURRENT_USER")
    assert reader.stream() is None


def test_a_sync_of_the_same_commit_brings_what_is_missing(dagfactory, model, synced, reader):
    applied(dagfactory, model)
    for statement in (
        "DROP TABLE yellowlive_job_model",
        "DELETE FROM yellowlive_job_model WHERE kind = 'stream'",
        "UPDATE yellowlive_job_model SET document = '{}'",
        "UPDATE yellowlive_job_model SET document = '{}', digest = encode(sha256('{}'), 'hex') WHERE kind = 'stream'",
        "INSERT INTO yellowlive_job_model VALUES ('stream', 'Store2', '', '', '')",
    ):
        synced.execute(statement)
        assert "its jobs read 3 rows" in applied(dagfactory, model)
        assert reader.stream() is not None
        assert len(rows(synced)) == 3


def test_a_document_without_its_digest_is_refused(dagfactory, model, synced, reader):
    applied(dagfactory, model)
    synced.execute("UPDATE yellowlive_job_model SET document = replace(document, 'customer_db', 'payroll')")
    with pytest.raises(JobModelBroken, match="its digest is not that of its document") as caught:
        reader.job()
    assert "payroll" not in str(caught.value)


def _type(document):
    document["datastore"]["datasets"][0]["columns"][0]["type"] = "text); DROP TABLE yellowlive_airflow_dsg; --"


def _store(document):
    document["datastore"]["name"] = "Store2"


def _list(document):
    document["datastore"]["source"]["host"] = ["pg-data", "elsewhere"]


def _served(document):
    document["served"] = "customers"


@pytest.mark.parametrize("edited", [_type, _store, _list, _served, dict.clear], ids=lambda one: one.__name__)
def test_a_hostile_document_is_held_against_schema_and_rules(dagfactory, model, synced, reader, no_git, edited):
    applied(dagfactory, model)
    rewritten(synced, edited)
    with pytest.raises(JobModelBroken):
        reader.job()


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"platform": 1}'])
def test_a_row_that_is_no_document_is_one_clear_error(dagfactory, model, synced, reader, no_git, text):
    applied(dagfactory, model)
    digest = hashlib.sha256(text.encode()).hexdigest()
    synced.execute("UPDATE yellowlive_job_model SET document = %s, digest = %s", text, digest)
    with pytest.raises(JobModelBroken, match="Run dagfactory sync"):
        reader.job()
    with pytest.raises(JobModelBroken):
        synced_model(reader.git, reader.place, "YellowLive")


def test_a_row_sends_no_password_to_a_server_that_the_settings_do_not_have(dagfactory, model, synced, reader, no_git):
    applied(dagfactory, model)

    def elsewhere(document) -> None:
        document["datastore"]["source"]["host"] = "elsewhere"

    rewritten(synced, elsewhere)
    with pytest.raises(SourceNotAdmitted):
        reader.job(source_hosts=("pg-data:5432",))
    rewritten(synced, lambda document: document["datastore"]["source"].update(host="pg-data", credential="payroll"))
    with pytest.raises(RowOutdated) as outdated:
        reader.job(source_hosts=("pg-data:5432",), source_credential="customer-db")
    assert (outdated.value.option, outdated.value.value) == ("--source-credential", "customer-db")
    assert "payroll" in outdated.value.what


def test_a_dataset_that_is_not_served_is_refused(dagfactory, model, synced, reader, no_git):
    applied(dagfactory, model)
    rewritten(synced, lambda document: document.update(served=["customers"]))
    with pytest.raises(RowOutdated) as outdated:
        reader.job(datasets=("customers", "addresses"))
    assert (outdated.value.option, outdated.value.value) == ("--datasets", "addresses")
    assert reader.job(datasets=("customers",)).stream.datasets[0].name == "customers"


def test_a_retired_stream_has_no_row_any_more(dagfactory, model, synced, reader):
    applied(dagfactory, model)
    edit(model, '"status": "PROVISIONED"', '"status": "DECOMMISSIONED"', "dsg_platform_mapping.json")
    assert "2 rows of the model, 1 written, 1 deleted" in applied(dagfactory, model)
    with pytest.raises(RowOutdated):
        reader.job()


def test_a_rollback_brings_the_rows_of_the_older_commit(dagfactory, model, synced, reader):
    applied(dagfactory, model)
    first, documents = git(model, "rev-parse", "HEAD"), synced.execute("SELECT * FROM yellowlive_job_model ORDER BY 1")
    edit(model, "{name: phone, type: varchar(100)", "{name: phone, type: varchar(120)")
    applied(dagfactory, model)
    git(model, "checkout", "--quiet", first)
    done = dagfactory("sync", model, "--yes", "--force-rollback", "--allow-incompatible", "Store1.customers")
    assert done.returncode == 0, done.stderr
    after = synced.execute("SELECT * FROM yellowlive_job_model ORDER BY 1")
    assert [row[:4] for row in after] == [row[:4] for row in documents]
    assert reader.stream()[1] == first


def test_a_table_that_was_restored_apart_is_written_anew(dagfactory, model, synced, reader):
    applied(dagfactory, model)
    synced.execute("CREATE TABLE older AS SELECT * FROM yellowlive_job_model")
    edit(model, "{name: phone, type: varchar(100)", "{name: phone, type: varchar(120)")
    applied(dagfactory, model)
    synced.execute("DELETE FROM yellowlive_job_model")
    synced.execute("INSERT INTO yellowlive_job_model SELECT * FROM older")
    assert "3 rows of the model, 1 written" in applied(dagfactory, model)
    assert "varchar(120)" in str(reader.stream())


def uncommitted(synced, model: Path, commit: str):
    """A sync that has written its rows and not committed."""
    whole = load_model(model)
    connection = connect(synced.dsns["yellowlive"], "test")
    session = ControlSession(connection, "yellowlive")
    found = JobModels(whole).of("YellowLive")
    JobModelTable(session).write(found, state_of(found, commit, whole.ecosystem.platform("YellowLive").model))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE public.yellowlive_model_state SET model_commit = %s", (commit,))
    return connection


@pytest.mark.parametrize("killed", [False, True])
def test_a_job_that_starts_during_a_sync_reads_one_commit_or_the_other(dagfactory, model, synced, reader, killed):
    applied(dagfactory, model)
    first = git(model, "rev-parse", "HEAD")
    edit(model, "{name: phone, type: varchar(100)", "{name: phone, type: varchar(120)")
    second = git(model, "rev-parse", "HEAD")
    with closing(uncommitted(synced, model, second)) as connection:
        found, at = reader.stream()
        assert (at, "varchar(120)" in str(found)) == (first, False)
        if killed:
            synced.execute("SELECT pg_terminate_backend(%s, 10000)", connection.info.backend_pid)
        else:
            connection.commit()
    found, at = reader.stream()
    assert (at, "varchar(120)" in str(found)) == ((first, False) if killed else (second, True))


def test_an_older_sync_that_comes_between_leaves_jobs_to_git(dagfactory, model, synced, reader):
    applied(dagfactory, model)
    edit(model, "{name: phone, type: varchar(100)", "{name: phone, type: varchar(120)")
    synced.execute("UPDATE yellowlive_model_state SET model_commit = %s", git(model, "rev-parse", "HEAD"))
    assert "varchar(120)" in str(reader.job().stream.datasets)
    assert "3 rows of the model, 1 written" in applied(dagfactory, model)
    assert reader.stream() is not None


def test_a_trial_goes_by_git_as_its_tables_must_be_no_other_store_s(dagfactory, model, synced, reader):
    from merge_jobs.stream import Tables

    applied(dagfactory, model)
    assert reader.job(tables=Tables.SHADOW).stream.key == "Store1__shadow"
    other = "source: {host: pg-data, database: d, credential: c}"
    dataset = "{name: a, primary_key: [id], columns: [{name: id, type: int, nullable: false}]}"
    taken = f"  - name: Store1__shadow\n    {other}\n    datasets: [{dataset}]\n  - name: Store1\n"
    edit(model, "  - name: Store1\n", taken)
    applied(dagfactory, model)
    with pytest.raises(ValueWrong, match="Store1__shadow"):
        reader.job(tables=Tables.SHADOW)


def test_a_merge_store_that_cannot_be_reached_is_no_reason_for_git(dagfactory, model, synced, reader, no_git):
    applied(dagfactory, model)
    reader.parts |= {"dbname": "nowhere"}
    with pytest.raises(DatabaseFailed):
        reader.stream()
