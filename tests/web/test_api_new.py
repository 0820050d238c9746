"""What a new stream begins with: what its platform's settings say, and nothing that they forbid."""

from __future__ import annotations

from contextlib import closing

import psycopg2

from airflow_plugin.control.session import ControlSession
from airflow_plugin.sync.diff import SyncAction
from airflow_plugin.sync.plan import platform_plan
from config_schema.schemas import json_schema


def test_a_stream_that_begins_with_the_platforms_config_lacks_only_what_is_its_own(client):
    given = client().get("/api/platforms/yellowlive/config").json()["config"]
    own = {"stream_key": "Another", "store_name": "Another", "datasets": ["customers"]}
    assert set(json_schema("stream")["required"]) - set(given) == set(own)
    reported = client().post("/api/validate/yellowlive", json={"config": given | own}).json()
    assert reported == {"problems": []}


def test_a_platform_that_is_not_there_has_no_config(client):
    assert client().get("/api/platforms/nowhere/config").status_code == 404


def test_a_stream_that_is_made_here_is_drift_to_a_sync_of_a_model_without_it_and_stays(client, world):
    given = client().get("/api/platforms/yellowlive/config").json()["config"]
    own = {"stream_key": "Made", "store_name": "Made", "datasets": ["customers"]}
    answer = client().post("/api/streams/yellowlive", json={"config": given | own})
    assert answer.status_code == 201, answer.text

    with closing(psycopg2.connect(world.merge_dsn)) as connection:
        session = ControlSession(connection, "yellowlive", "public")
        kept, overwritten = (
            {one.stream_key: one for one in platform_plan(session, "YellowLive", {}, "c", overwrite_drift=over).changes}
            for over in (False, True)
        )
    assert (kept["Made"].kind, overwritten["Made"].kind) == (SyncAction.DRIFT, SyncAction.RETIRE)
    assert kept["Made"].by_hand.changed_by == "admin"
    said = client().get("/api/openapi.json").json()["paths"]["/api/streams/{platform}"]["post"]["description"]
    assert "Syncs of the model keep it, and show it as drift" in said
