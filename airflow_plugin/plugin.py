"""The AirflowPlugin, found by its entry point."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_plugin import listener
from airflow_plugin.settings import SECTION
from airflow_plugin.web.registration import WebApp, react_apps


class StreamFactoryPlugin(AirflowPlugin):
    """The pages and the REST API in Airflow's UI, and what a dag-processor loads for its children."""

    name = SECTION
    fastapi_apps: list[Any] = [{"app": WebApp(), "url_prefix": f"/{SECTION}", "name": "Stream Factory"}]  # noqa: RUF012
    react_apps: list[Any] = react_apps()
    listeners: list[Any] = [listener]  # noqa: RUF012
