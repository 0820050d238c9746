"""Checks each request before anything of it is read: who sends it, from which site, and how large it is.

It is an ASGI layer around the whole app, so it covers every route, static file and unknown path.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from airflow.configuration import conf
from fastapi import HTTPException, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_plugin.web.error_responses import as_answer
from airflow_plugin.web.errors import BodyTooLong, LoginNeeded, OtherSite, Refused

READING = ("GET", "HEAD")
MOST_BYTES = 256 * 1024
DEFAULT_PORTS = {"http": 80, "https": 443}


class Gate:
    """Passes a request on, with its user in `request.state`, or answers 401, 403 or 413."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate a request and check its origin and size, before anything else reads it."""
        if scope["type"] == "websocket":  # the app has none, and nobody has logged in to it
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request, send = Request(scope, receive), _guarded(send, scope)
        try:
            await _log_in(request)
            if request.method not in READING:
                _check_site(request)
                receive = _again(await _body(request), receive)
        except Refused as error:
            await as_answer(error)(scope, receive, send)
            return
        await self.app(scope, receive, send)


async def _log_in(request: Request) -> None:
    """Authenticate by Airflow's login: a bearer header, or the cookie of its UI."""
    try:
        user = await get_user(request, None, await bearer_scheme(request))
    except HTTPException as error:
        raise LoginNeeded from error
    request.state.stream_factory_user = user


def _check_site(request: Request) -> None:
    """Refuse other sites: their pages can send our cookie, but no JSON, and not without their origin."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise OtherSite("the body is not said to be JSON", "Send Content-Type: application/json")
    origin = request.headers.get("origin")
    if origin is None and "authorization" not in request.headers:
        raise OtherSite("it is not said which site this comes from", "Send Origin, or a bearer token")
    try:
        ours = origin is None or _is_ours(origin, request)
    except ValueError:  # no address at all: `http://[`, or a port beyond 65535
        ours = False
    if not ours:
        raise OtherSite("this comes from another site", "Use Airflow's own pages")


def _is_ours(origin: str, request: Request) -> bool:
    """Return whether host and port are ours, or those that Airflow knows; a proxy may have another scheme."""
    theirs, base = urlsplit(origin), urlsplit(conf.get("api", "base_url", fallback=""))
    if theirs.scheme not in DEFAULT_PORTS:
        return False
    host = urlsplit(f"//{request.headers.get('host', '')}")
    ours = [(host.hostname, host.port or DEFAULT_PORTS[theirs.scheme]), (base.hostname, _port(base.scheme, base.port))]
    return (theirs.hostname, _port(theirs.scheme, theirs.port)) in ours


def _port(scheme: str, port: int | None) -> int | None:
    return port or DEFAULT_PORTS.get(scheme)


async def _body(request: Request) -> bytes:
    parts, length = [], 0
    async for part in request.stream():
        length += len(part)
        if length > MOST_BYTES:
            raise BodyTooLong(MOST_BYTES)
        parts.append(part)
    return b"".join(parts)


def _guarded(send: Send, scope: Scope) -> Send:
    """Add headers to answers: browsers may not guess their type, nor store what only this user may see."""
    # Not by its whole path: a platform or a proxy's folder may be called static.
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    kept = "no-cache" if path.startswith("/static/") else "no-store"

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Cache-Control"] = kept
        await send(message)

    return guarded


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a receiver that gives the body once more; what comes after it is the server's."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
