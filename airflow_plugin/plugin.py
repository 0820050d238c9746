"""The AirflowPlugin, found by its entry point."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from airflow_plugin.settings import SECTION


class StreamFactoryPlugin(AirflowPlugin):
    name = SECTION
