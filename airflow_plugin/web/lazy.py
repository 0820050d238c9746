"""The app as the plugin gives it to Airflow: made at the first request, as every component of Airflow loads plugins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cached_property
from typing import Any

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
