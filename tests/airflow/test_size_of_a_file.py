"""The warning that a factory file has grown too large, before Airflow's timeout makes its DAGs vanish."""

from __future__ import annotations

import logging

import pytest


@pytest.mark.parametrize(("seconds", "near"), [(1.5, False), (2.5, True)])
def test_a_file_is_warned_of_long_before_the_processors_timeout(airflow_here, caplog, seconds, near):
    from airflow_plugin.factory import publishing
    from airflow_plugin.factory.judging import Judged
    from airflow_plugin.factory.known import Known
    from airflow_plugin.factory.last_good import Snapshot
    from airflow_plugin.settings import PlatformSettings

    settings = PlatformSettings(original_platform_name="YellowLive")
    with caplog.at_level(logging.WARNING, publishing.__name__):
        publishing._tell(settings, Known(Snapshot("", {})), Judged(), seconds)
    warned = [record.getMessage() for record in caplog.records if "--shards" in record.getMessage()]
    assert len(warned) == near
    assert all("YellowLive: this file comes near to dag_file_processor_timeout (50 s)" in text for text in warned)
