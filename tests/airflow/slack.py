"""A stand-in for Slack on this machine: keeps what is posted to it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Slack:
    """What was posted where, and all that was asked; `status`, `answer` and `location` are what it says to that."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[tuple[str, str, str]] = []  # method, path, token
        self.status, self.answer, self.location = 200, "ok", ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"slack": self}))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def webhook(self) -> str:
        """An Airflow connection to it, as JSON."""
        return json.dumps({"conn_type": "slackwebhook", "password": f"{self.address}/services/the-secret"})

    @property
    def api(self) -> str:
        extra = {"base_url": f"{self.address}/"}
        return json.dumps({"conn_type": "slack", "password": "the-secret", "extra": extra})

    @property
    def texts(self) -> list[str]:
        return [body["text"] for _, body in self.posted]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    slack: Slack

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.slack.posted.append((self.path, body))
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.slack.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
        self.send_response(self.slack.status)
        if self.slack.location:
            self.send_header("Location", self.slack.location)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(self.slack.answer.encode())

    def log_message(self, *args: object) -> None:
        pass
