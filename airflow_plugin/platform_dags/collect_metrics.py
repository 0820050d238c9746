"""The task that reports, once a day, the size of a platform's merge tables, and how fresh its streams are."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from airflow_plugin.operators.platform_operator import OfPlatform, raise_as_airflow
from config_schema import names

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_plugin.control.batch_table import TableSize
    from airflow_plugin.settings import PlatformSettings

COLLECT_METRICS = "collect_metrics"


class CollectMetrics(OfPlatform):
    """Reads the merge store and sends Airflow's metrics; its log has the sums in any case."""

    ui_color = "#f3e8ff"

    def execute(self, context: Context) -> None:
        """Send the sizes of merge tables, and how fresh the streams are."""
        # Here, so that a parse does not load it.
        from airflow_plugin.health.streams import platform_health
        from airflow_plugin.platform_dags.platform_metrics import send_capacity_metrics, send_health_metrics
        from airflow_plugin.settings import platform_settings

        with raise_as_airflow(f"{self.platform}: the merge store cannot be read"):
            settings = platform_settings(self.platform)
            health, sizes = platform_health(settings), _sizes(settings)
        send_health_metrics(settings.platform_name, health)
        archive = names.archive_schema(settings.platform_name)
        send_capacity_metrics(settings.platform_name, archive, sizes)
        aside = [table for table in sizes if table.schema == archive]
        kept = [table for table in sizes if table.schema != archive]
        self.log.info("%s: %s", self.platform, health.fine)
        self.log.info("%s: %s; archived: %s", self.platform, _summed(kept), _summed(aside))


def _sizes(settings: PlatformSettings) -> list[TableSize]:
    from airflow_plugin.control.batch_table import BatchTables
    from airflow_plugin.control.session import control_session
    from airflow_plugin.settings import merge_store_dsn

    dsn, where = merge_store_dsn(settings.platform_name)
    with control_session(dsn, where, settings.platform_name, settings.merge_store_schema) as session:
        return BatchTables(session).merge_table_sizes()


def _summed(tables: Collection[TableSize]) -> str:
    rows, size = sum(table.rows for table in tables), sum(table.size for table in tables) / 1e6
    return f"{len(tables)} merge tables with about {rows} rows in {size:.1f} MB"
