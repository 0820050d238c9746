"""The warning that a factory file has grown too large, before Airflow's timeout makes its DAGs vanish."""

from __future__ import annotations

import logging

import pytest


@pytest.mark.parametrize(
    ("waiting", "publishing_seconds", "near"),
    [(0, 1.5, False), (0, 2.5, True), pytest.param(5, 0.1, False, id="the merge store does not answer")],
)
def test_a_file_is_warned_of_long_before_the_processors_timeout(
    airflow_here, caplog, monkeypatch, waiting, publishing_seconds, near
):
    from airflow_plugin.control.connection import MergeStoreError
    from airflow_plugin.factory import publishing
    from airflow_plugin.factory.shards import WHOLE
    from airflow_plugin.rows.evaluation import Evaluation
    from airflow_plugin.rows.last_good import LastGood
    from airflow_plugin.rows.stream_loader import Known
    from airflow_plugin.settings import PlatformSettings

    now = 1000.0
    away = MergeStoreError("DAGFACTORY_YELLOWLIVE_DSN", "no answer within 5 s", "Look", retryable=True)

    def taking(seconds, result):
        def take(*_, **options):
            nonlocal now
            now += seconds
            return result

        return take

    monkeypatch.setattr(publishing.time, "monotonic", lambda: now)
    known = Known(LastGood("", {}), trouble=away if waiting else None)
    monkeypatch.setattr(publishing, "all_streams", taking(waiting, known))
    monkeypatch.setattr(publishing, "evaluate_streams", taking(publishing_seconds, Evaluation()))
    monkeypatch.setattr(publishing, "keep", taking(0, None))
    with caplog.at_level(logging.WARNING, publishing.__name__):
        publishing._all_dags({}, PlatformSettings(original_platform_name="YellowLive"), WHOLE, cached=True)
    warned = [record.getMessage() for record in caplog.records if "--shards" in record.getMessage()]
    assert len(warned) == near
    assert all("YellowLive: this file comes near to dag_file_processor_timeout (50 s)" in text for text in warned)
    assert ("cannot be read" in caplog.text) is bool(waiting)
