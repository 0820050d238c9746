"""A stream in lists: what the card has and what the API's description says are the same."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_plugin.web.queries import NO_BATCH
from airflow_plugin.web.schemas.lists import StreamCard
from airflow_plugin.web.seen import STORED
from airflow_plugin.web.stream_status import card
from airflow_plugin.web.streams import StreamFacts

NOW = datetime(2026, 11, 30, tzinfo=UTC)
STREAM = StreamFacts(
    platform="yellowlive",
    stream_key="Store1",
    dag_id="yellowlive__Store1_ingestion",
    status="active",
    updated_at=NOW,
    store="Store1",
    milestoning="live",
    credential=None,
    datasets=("customers",),
    schedule="@daily",
    latency_seconds=60,
    problems=(),
    last=NO_BATCH,
)


def test_a_card_has_the_keys_of_its_description_and_no_others():
    """The API leaves out, without an error, what its description does not have."""
    shown = card(STREAM, None, NOW).to_dict(can_edit=True, success_rate=None, seen=STORED)
    assert set(shown) == set(StreamCard.model_fields)
    assert StreamCard.model_validate(shown).model_dump() == shown
