"""A refused delete in the API: what waits for an approval, who approved it, and the request that does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from psycopg2.extras import Json

STREAM = "/api/streams/yellowlive/Store2"
APPROVE = f"{STREAM}/actions/approve_delete"
REFUSED = {"batch_id": 900, "dataset": "customers", "rows": 249, "before": 250, "max_delete_fraction": 0.5}
SEEN = {"batch": 900, "dataset": "customers", "rows": 249}


@pytest.fixture
def refuse(world):
    """A function that makes the open batch one that was refused, with approvals of it."""

    def make(refused: object = REFUSED, **approvals: object) -> None:
        more = {"batch_status": "failed", "error": "249 of 250 rows are gone", "result_json": None, "retryable": False}
        state = Json({"refused_delete": refused, "delete_approvals": approvals})
        world.batch("YellowLive", "Store2", 900, datetime.now(UTC), state=state, **more)
        world.let_it_see()

    yield make
    world.merge_store("DELETE FROM yellowlive_batch_metrics WHERE batch_id = 900")
    world.real.query("DELETE FROM dag_run WHERE dag_id = 'yellowlive_operations'")
    world.let_it_see()


def approval(rows: int, **until: float) -> dict[str, object]:
    return {"rows": rows, "by": "ann", "until": (datetime.now(UTC) + timedelta(**until)).isoformat()}


def test_a_stream_whose_batch_was_refused_says_for_what_and_offers_the_approval(client, refuse):
    before = client().get(STREAM).json()
    assert (before["refused_delete"], "approve_delete" in before["actions"]) == (None, False)
    refuse()
    found = client().get(STREAM).json()
    assert found["refused_delete"] == {**REFUSED, "approved_by": None, "approved_until": None}
    assert "approve_delete" in found["actions"]


@pytest.mark.parametrize(
    ("given", "is_approved"),
    [
        ({"customers": approval(249, hours=1)}, True),
        ({"customers": approval(248, hours=1)}, False),
        ({"customers": approval(249, hours=-1)}, False),
        ({"orders": approval(249, hours=1)}, False),
    ],
    ids=["as it is refused", "of fewer rows", "expired", "of another dataset"],
)
def test_who_approved_it_is_said_where_that_still_counts(client, refuse, given, is_approved):
    refuse(**given)
    found = client().get(STREAM).json()["refused_delete"]
    assert found["approved_by"] == ("ann" if is_approved else None)
    assert (found["approved_until"] is not None) == is_approved


@pytest.mark.parametrize("odd", [7, {}, {"dataset": "customers"}, None])
def test_what_another_version_wrote_in_another_form_is_none(client, refuse, odd):
    refuse(odd)
    assert client().get(STREAM).json()["refused_delete"] is None


def test_an_approval_is_asked_of_the_operations_dag_with_what_the_user_has_seen(client, world, refuse):
    refuse()
    body = {"reason": "they moved away", "refused_delete": SEEN}
    answer = client("user").post(APPROVE, json=body)
    assert answer.status_code == 200, answer.text
    ((conf,),) = world.real.query("SELECT conf FROM dag_run WHERE run_id = %s", answer.json()["run_id"])
    asked = {"action": "approve_delete", "stream_key": "Store2", "by": "user", "reason": "they moved away"}
    assert conf == {**asked, **SEEN}
    assert client("user").post(APPROVE, json=body).status_code == 409  # it is asked for already


@pytest.mark.parametrize(
    "seen", [{"batch": 900}, {**SEEN, "rows": 0}, {**SEEN, "rows": "x"}, {**SEEN, "dataset": "a\nb"}, 7], ids=str
)
def test_what_is_no_refused_delete_is_refused(client, world, refuse, seen):
    refuse()
    assert client().post(APPROVE, json={"refused_delete": seen}).status_code in (400, 422)
    assert world.real.query("SELECT 1 FROM dag_run WHERE dag_id = 'yellowlive_operations'") == []


@pytest.mark.parametrize("user", ["viewer", "editor"])
def test_who_may_not_run_the_stream_may_not_approve(client, world, refuse, user):
    refuse()
    assert client(user).post(APPROVE, json={"refused_delete": SEEN}).status_code == 403
    assert world.real.query("SELECT 1 FROM dag_run WHERE dag_id = 'yellowlive_operations'") == []
