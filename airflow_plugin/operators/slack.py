"""Posts a message to Slack, with the address and the token of a connection of Airflow's provider.

The provider's client is not used: it follows redirects to any server, with the message and the token of Slack's API.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx


class NotTaken(Exception):
    """Slack has not accepted a message; the text contains nothing of the connection except the host of a redirect."""


@dataclass(frozen=True)
class Message:
    """A request to post; `answers_ok` if the answer must be JSON that says whether it was accepted."""

    url: str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    proxy: str | None = None
    answers_ok: bool = False


def for_webhook(client: Any, text: str) -> Message:
    """Return a message for an incoming webhook; `client` is slack_sdk's."""
    return Message(client.url, {"text": text, "unfurl_links": False}, proxy=_proxy(client))


def for_channel(client: Any, channel: str, text: str) -> Message:
    """Return a message for a channel by Slack's API; `client` is slack_sdk's."""
    body = {"channel": channel, "text": text, "username": "Airflow", "unfurl_links": False}
    headers = {"Authorization": f"Bearer {client.token}"}
    return Message(f"{client.base_url}chat.postMessage", body, headers, _proxy(client), answers_ok=True)


def post(message: Message, seconds: float) -> None:
    """Post a message. Raises NotTaken, or httpx's errors, whose texts may hold the address."""
    transport = httpx.HTTPTransport(verify=ssl.create_default_context(), proxy=message.proxy, retries=1)
    with httpx.Client(transport=transport, timeout=seconds) as client:
        _check(message, client.post(message.url, json=message.body, headers=message.headers))


async def post_async(message: Message, seconds: float) -> None:
    """Do as `post`, in an event loop."""
    transport = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(), proxy=message.proxy, retries=1)
    async with httpx.AsyncClient(transport=transport, timeout=seconds) as client:
        _check(message, await client.post(message.url, json=message.body, headers=message.headers))


def _check(message: Message, answer: httpx.Response) -> None:
    if answer.has_redirect_location:
        place = urlsplit(str(answer.next_request.url if answer.next_request else answer.headers["location"]))
        host = place.netloc.rpartition("@")[2]
        raise NotTaken(f"its address redirects to {place.scheme}://{host}, which is not followed")
    if answer.status_code != httpx.codes.OK:
        raise NotTaken(f"the answer is {answer.status_code}")
    if message.answers_ok and not _says_ok(answer):
        raise NotTaken("the answer does not say that the message was taken")


def _says_ok(answer: httpx.Response) -> bool:
    try:
        said = answer.json()
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("ok") is True


def _proxy(client: Any) -> str | None:
    """Return the proxy of the connection or of the environment, in slack_sdk's form: its scheme is optional."""
    proxy: str | None = client.proxy
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"
