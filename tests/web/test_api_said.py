"""What a producer's server said of an error is for who may edit the DAG, or fewer: nobody else gets it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from psycopg2.extras import Json

from airflow_plugin.web import permissions
from airflow_plugin.web.permissions import User
from tests.web.world import DATA_ROLE

SAID = "the card 4111-1111 of Ada \x1b[31m"
FOUND = [
    {"check": "email_is_set", "kind": "not_null", "severity": "fail", "violations": 1},
    {"check": "mean", "kind": "statistic", "severity": "warn", "violations": 1, "wanted": "at most 9"},
    {
        "check": "share",
        "kind": "completeness",
        "severity": "warn",
        "violations": 0,
        "value": 0.5,
        "wanted": "at most 1",
    },
]
SEEN = {"email_is_set": {"keys": [{"id": "4111-2222"}, 7]}, "mean": {"value": 4111.5}, "share": [7]}
RUN = "run_Failing_1"
DAG = "yellowlive__Failing_ingestion"
DETAIL, BATCHES = f"/api/runs/{DAG}/{RUN}", "/api/streams/yellowlive/Failing/batches"
OTHERS = ["overview", "streams", "status", "runs", "platforms", "streams/yellowlive/Failing"]
OTHERS.append("streams/yellowlive/Failing/history")


@pytest.fixture(autouse=True)
def failed(world):
    """A batch that has failed by an error of a producer's server."""
    more = {"batch_status": "failed", "error": "raise_exception (SQLSTATE P0001)", "result_json": None}
    state = {"said": SAID, "datasets": {}, "quality": {"people": FOUND}, "quality_data": {"people": SEEN, "odd": 7}}
    world.batch("YellowLive", "Failing", 900, datetime.now(UTC), run_id=RUN, state=Json(state), **more)
    world.let_it_see()
    yield
    world.merge_store("DELETE FROM yellowlive_batch_metrics WHERE batch_id = 900")


def said(client):
    (of_run, *_), (of_stream, *_) = (client.get(path).json()["batches"] for path in (DETAIL, BATCHES))
    assert of_run["error"] == of_stream["error"] == "raise_exception (SQLSTATE P0001)"
    return of_run["said"], of_stream["said"]


def test_who_may_edit_the_dag_and_has_a_role_of_the_settings_gets_it(client):
    assert DATA_ROLE == "user"
    assert said(client("user")) == (SAID, SAID)


def test_a_viewer_does_not_get_it(client):
    assert said(client("viewer")) == (None, None)


def test_data_roles_keep_it_from_an_admin_who_has_none_of_them(client):
    assert said(client("admin")) == (None, None)


def of_checks(client):
    """Value and keys of each check of the failed batch, of which a run that has no result shows them only there."""
    (of_run, *_), (of_stream, *_) = (client.get(path).json()["batches"] for path in (DETAIL, BATCHES))
    assert of_run["quality"] == of_stream["quality"]
    return {one["check"]: (one["value"], one["keys"]) for one in of_run["quality"]}


def test_keys_and_values_that_checks_have_seen_are_for_the_same_people(client):
    seen = {"email_is_set": (None, [{"id": "4111-2222"}]), "mean": (4111.5, []), "share": (0.5, [])}
    assert of_checks(client("user")) == seen
    unseen = {"email_is_set": (None, []), "mean": (None, []), "share": (0.5, [])}
    assert of_checks(client("viewer")) == of_checks(client("admin")) == unseen


@pytest.mark.parametrize("user", ["narrow", "nobody"])
def test_who_may_not_see_the_stream_gets_no_answer_at_all(client, user):
    for path in (DETAIL, BATCHES):
        answer = client(user).get(path)
        assert answer.status_code in (403, 404)
        assert "4111" not in answer.text


@pytest.mark.parametrize("user", ["viewer", "user", "admin"])
@pytest.mark.parametrize("path", OTHERS)
def test_no_other_answer_has_it(client, user, path):
    answer = client(user).get(f"/api/{path}")
    assert answer.status_code == 200
    assert "4111" not in answer.text


class Manager:
    """An auth manager in which the user `editor` may edit every DAG."""

    def filter_authorized_dag_ids(self, *, dag_ids, user, method, team_name):
        return set(dag_ids) if method == "GET" or user.name == "editor" else set()


class Asking:
    def __init__(self, name: str, role: str) -> None:
        self.name, self.role = name, role


@pytest.mark.parametrize(
    ("roles", "name", "role", "sees"),
    [
        ("", "editor", "op", True),
        ("", "viewer", "op", False),
        ("Auditor, data", "editor", "DATA", True),
        ("Auditor, data", "editor", "op", False),
        ("Auditor, data", "viewer", "data", False),
    ],
)
def test_without_roles_in_the_settings_editing_is_enough_and_with_them_it_is_not(monkeypatch, roles, name, role, sees):
    monkeypatch.setenv("DAGFACTORY_DATA_ROLES", roles)
    monkeypatch.setattr(permissions, "get_auth_manager", Manager)
    assert User(Asking(name, role)).may_see_data(DAG) is sees
