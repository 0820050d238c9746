"""The task that judges all streams of a platform, and fails with a list of what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow_plugin.airflow_versions import AirflowFailException, conf
from airflow_plugin.operators.platform_operator import OfPlatform
from config_schema import names
from config_schema.errors import StreamFactoryError

if TYPE_CHECKING:
    from airflow.sdk import Context

CHECK_STREAMS = "check_streams"
LISTED = 200  # a platform whose settings are wrong has as many problems as rows
NAMED = 10


class CheckStreams(OfPlatform):
    """Lists quarantined and lost rows, runs that fail, and data that is late; notifies people of what has changed."""

    ui_color = "#f3e8ff"

    def execute(self, context: Context) -> None:
        """Examine all streams, and fail with a list of what is wrong."""
        # Here, so that a parse does not load it.
        from airflow_plugin.health.alerts import send_alerts
        from airflow_plugin.health.streams import platform_health
        from airflow_plugin.platform_dags.platform_metrics import send_health_metrics
        from airflow_plugin.settings import platform_settings

        try:
            settings = platform_settings(self.platform)
            health = platform_health(settings, dags=Path(conf.get("core", "dags_folder")))
        except StreamFactoryError as error:
            send_health_metrics(names.platform_name(self.platform), None)
            raise AirflowFailException(f"{self.platform}: the streams cannot be judged: {error}") from None
        send_health_metrics(settings.platform_name, health)
        send_alerts(settings, health)
        self.log.info("%s: %s", self.platform, health.fine)
        for warning in health.quality_warnings[:LISTED]:
            self.log.warning("%s", warning)
        for found in health.problems[:LISTED]:
            self.log.error("%s", found)
        if len(health.problems) > LISTED:
            more = len(health.problems) - LISTED
            self.log.error("and %d more: dagfactory doctor lists them all", more)
        if health.problems:
            raise AirflowFailException(f"{self.platform}: {_summary(health.streams, len(health.problems))}")


def _summary(streams: list[str], count: int) -> str:
    from config_schema.printable import printable  # a parse loads as few modules as it can

    named = ", ".join(map(printable, streams[:NAMED])) + (
        f" and {len(streams) - NAMED} more" if len(streams) > NAMED else ""
    )
    return f"{count} problem{'s' if count != 1 else ''}, listed above" + (f", with: {named}" if streams else "")
