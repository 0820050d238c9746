"""What the merge task reaches as the API server: it records each call, holds it to RIGHTS, and has the case's faults.

Behind it are pods of the stand-in (api_server.py) or of a real cluster (real_cluster.py).
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.kubernetes.faults import Faults
from tests.kubernetes.rights import RIGHTS
from tests.loopback_server import LoopbackServer

Json = dict[str, Any]

STALL_SECONDS = 20.0
VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}


class Front:
    """A cluster as a case sees it: its faults, what was asked of it, and what became of that."""

    def __init__(self, handler: type[Handler]) -> None:
        self.forget()
        self.calls: set[tuple[str, str]] = set()
        self._server = LoopbackServer(("127.0.0.1", 0), type("Bound", (handler,), {"cluster": self}))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def forget(self) -> None:
        """As if nothing had run here; the calls stay known."""
        self.faults = Faults()
        self.created: list[Json] = []
        self.deleted: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.endured = 0  # dead streams that the client waited out

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Observed(ABC):
    """What cases ask of a pod, and its faults, which are those of the time when it was made."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.streams = 0  # log requests that followed

    @property
    @abstractmethod
    def lines(self) -> list[str]:
        """Return what the job has said so far."""

    @property
    def all_lines(self) -> list[str]:
        """Return what it had said when it had ended, also of a pod that is gone."""
        return self.lines

    @property
    @abstractmethod
    def job_has_ended(self) -> bool:
        """Return whether the job's process has ended, whatever its pod is said to be."""

    @property
    def held(self) -> bool:
        """A job is quicker than a stream: it appears to run until those that are to be cut have been."""
        cuts = len(self.faults.cut_streams) - (1 if self.faults.cut_late else 0)
        return bool(self.faults.cut_streams) and self.streams <= cuts

    @property
    def is_to_vanish(self) -> bool:
        if self.faults.vanish == "early":
            return bool(self.lines)
        return self.faults.vanish == "late" and self.job_has_ended


@dataclass
class Call:
    verb: str
    resource: str  # of RIGHTS: `pods/log`
    path: list[str]  # behind the namespace
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def follows(self) -> bool:
        return self._says("follow")

    @property
    def is_stamped(self) -> bool:
        return self._says("timestamps")

    def _says(self, name: str) -> bool:
        return self.query.get(name) in ("True", "true", "1")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Any

    def handle_any(self) -> None:
        call = self._call()
        asked = (call.verb, call.resource)
        self.cluster.calls.add(asked)
        if asked not in RIGHTS:
            self.cluster.refused.append(asked)
            return self.error(403, f"{call.resource} is forbidden: cannot {call.verb}")
        refusal = self.cluster.faults.refusal(call.verb, call.resource, call.follows)
        if refusal is not None:
            if refusal.done:
                self._answer_unheard(call)
            return self.error(refusal.status, "the server is not well")
        return self.answer(call)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any

    def answer(self, call: Call) -> None:
        raise NotImplementedError

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _call(self) -> Call:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        path = parts.path.strip("/").split("/")[4:]  # api/v1/namespaces/{namespace}/...
        self.content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        resource = path[0] if len(path) < 3 else f"{path[0]}/{path[2]}"
        verb = VERBS[self.command]
        if self.command == "GET" and len(path) == 1:
            verb = "watch" if query.get("watch") in ("True", "true", "1") else "list"
        return Call(verb, resource, path, query, json.loads(self.content or b"null"))

    def _answer_unheard(self, call: Call) -> None:
        send, self.send = self.send, lambda *_: None  # type: ignore[method-assign]
        self.answer(call)
        self.send = send  # type: ignore[method-assign]

    # --- logs

    def say(self, pod: Observed, lines: Iterator[bytes], follows: bool) -> None:
        """Answer with a pod's log, or with as much of it as its faults let through."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if follows:
            self._stream(pod, lines)
            return
        if not (pod.faults.no_log or pod.faults.half_open_tail):
            for line in lines:
                self._chunk(line)
        if pod.faults.half_open_tail:
            self._stall()
        self.wfile.write(b"0\r\n\r\n")

    def _stream(self, pod: Observed, lines: Iterator[bytes]) -> None:
        """Lines as they come until the job ends; or fewer, where a fault says so."""
        number, cuts = pod.streams, pod.faults.cut_streams
        pod.streams += 1
        cut = cuts[number] if number < len(cuts) else 1 if pod.faults.half_open else None
        late = pod.faults.cut_late and number == len(cuts) - 1
        sent = 0
        while not pod.faults.no_log and sent != cut and not pod.is_to_vanish:
            line = next(lines, None)
            if line is None:
                break
            self._chunk(line)
            sent += 1
        if pod.faults.no_log or late:
            for _ in lines:
                pass  # its end is the job's
        if pod.faults.half_open:
            self._stall()
        if cut is None and not pod.faults.half_open:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def _stall(self) -> None:
        """Say nothing until the client hangs up; it has waited the stall out if it does not."""
        self.connection.settimeout(STALL_SECONDS)
        try:
            self.connection.recv(1)
        except TimeoutError:
            self.cluster.endured += 1

    def _chunk(self, line: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

    # --- answers

    def error(self, status: int, message: str, reason: str = "") -> None:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
        self.send(status, {**body, "code": status})

    def send(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(data)
