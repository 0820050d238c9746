"""What the plugin adds to Airflow's UI: an entry in the navigation, and tabs of DAGs and of runs."""

from __future__ import annotations

from typing import Any

from airflow_plugin.settings import SECTION

# No leading slash: Airflow reads it from its base URL, which may have a path.
STATIC = f"{SECTION}/static"


def react_apps() -> list[dict[str, Any]]:
    """Return the pages; their names are the labels shown, and the names that the modules use (static/*.js)."""
    return [
        _app("Streams", "streams.js", "nav", "streams") | {"nav_top_level": True},
        _app("Stream", "stream_tab.js", "dag", "stream"),
        _app("Stream run", "run_tab.js", "dag_run", "stream_run"),
    ]


def _app(name: str, module: str, destination: str, route: str) -> dict[str, Any]:
    return {
        "name": name,
        "bundle_url": f"{STATIC}/{module}",
        "destination": destination,
        "url_route": route,
        "icon": f"{STATIC}/icon.svg",
        "icon_dark_mode": f"{STATIC}/icon_dark.svg",
    }
