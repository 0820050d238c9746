"""What a new stream begins with: what its platform's settings say, and nothing that they forbid."""

from __future__ import annotations

from config_schema import stream


def test_a_stream_that_begins_with_the_platforms_config_lacks_only_what_is_its_own(client):
    given = client().get("/api/platforms/yellowlive/config").json()["config"]
    own = {"stream_key": "Another", "store_name": "Another", "datasets": ["customers"]}
    assert set(stream.schema()["required"]) - set(given) == set(own)
    told = client().post("/api/validate/yellowlive", json={"config": given | own}).json()
    assert told == {"problems": []}


def test_a_platform_that_is_not_there_has_no_config(client):
    assert client().get("/api/platforms/nowhere/config").status_code == 404
