"""What the plugin registers in Airflow: the app, created at the first request, and an entry and tabs in the UI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cached_property
from typing import Any

from airflow_plugin.settings import SECTION

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class WebApp:
    """An ASGI app that imports nothing heavy until it is called."""

    @cached_property
    def _app(self) -> App:
        from airflow_plugin.web.app import create_app

        return create_app()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; the first one creates the app."""
        await self._app(scope, receive, send)


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
