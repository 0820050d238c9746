"""A stand-in for the Kubernetes API server: pods, their logs and events over HTTP, for one who has RIGHTS only."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.kubernetes.faults import Faults
from tests.kubernetes.pods import Json, Pod
from tests.kubernetes.rights import RIGHTS
from tests.loopback_server import LoopbackServer

STALL_SECONDS = 20.0
VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}


class StandIn:
    """The cluster: its secrets, its pods, the calls that were made, and the faults of the case at hand."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self.pods: dict[str, Pod] = {}
        self.faults = Faults()
        self.created: list[Json] = []
        self.deleted: list[str] = []
        self.calls: set[tuple[str, str]] = set()
        self.refused: list[tuple[str, str]] = []
        self.endured = 0  # dead streams that the client waited out
        self._server = LoopbackServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"cluster": self}))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def clean(self) -> None:
        """As if nothing had run here; the calls stay known."""
        for pod in list(self.pods.values()):
            pod.delete()
        self.pods, self.faults, self.created, self.deleted, self.refused = {}, Faults(), [], [], []
        self.endured = 0

    def close(self) -> None:
        self.clean()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: StandIn

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        path = parts.path.strip("/").split("/")[4:]  # api/v1/namespaces/{namespace}/...
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        verb, resource = self._asked(path, query)
        self.cluster.calls.add((verb, resource))
        if (verb, resource) not in RIGHTS:
            self.cluster.refused.append((verb, resource))
            return self._error(403, f"{resource} is forbidden: cannot {verb}")
        refusal = self.cluster.faults.refusal(verb, resource, query.get("follow") in ("True", "true"))
        if refusal is not None:
            if refusal.done:
                self._answer_unheard(verb, resource, path, query, body)
            return self._error(refusal.status, "the server is not well")
        return self._answers()[verb, resource](path, query, body)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _asked(self, path: list[str], query: dict[str, str]) -> tuple[str, str]:
        resource = path[0] if len(path) < 3 else f"{path[0]}/{path[2]}"
        verb = VERBS[self.command]
        if self.command == "GET" and len(path) == 1:
            verb = "watch" if query.get("watch") in ("True", "true", "1") else "list"
        return verb, resource

    def _answers(self) -> dict[tuple[str, str], Callable[[list[str], dict[str, str], Any], None]]:
        return {
            ("create", "pods"): self._create,
            ("get", "pods"): self._get,
            ("list", "pods"): self._list,
            ("delete", "pods"): self._delete,
            ("patch", "pods"): self._patch,
            ("get", "pods/log"): self._log,
            ("list", "events"): self._events,
        }

    def _answer_unheard(self, verb: str, resource: str, path: list[str], query: dict[str, str], body: Any) -> None:
        send, self._send = self._send, lambda *_: None  # type: ignore[method-assign]
        self._answers()[verb, resource](path, query, body)
        self._send = send  # type: ignore[method-assign]

    # --- pods

    def _create(self, path: list[str], query: dict[str, str], body: Json) -> None:
        if body["metadata"]["name"] in self.cluster.pods:
            return self._error(409, "it exists", "AlreadyExists")
        if wrong := not_restricted(body["spec"]):
            return self._error(403, f"violates PodSecurity restricted: {wrong}")
        self.cluster.created.append(json.loads(json.dumps(body)))
        pod = Pod(body, self.cluster.secrets, self.cluster.faults)
        self.cluster.pods[pod.name] = pod
        return self._send(201, pod.json)

    def _get(self, path: list[str], query: dict[str, str], body: Any) -> None:
        if pod := self._pod(path):
            self._send(200, pod.json)

    def _list(self, path: list[str], query: dict[str, str], body: Any) -> None:
        chosen = [pod.json for pod in self.cluster.pods.values() if matches(pod.labels, query.get("labelSelector", ""))]
        self._send(200, {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": chosen})

    def _delete(self, path: list[str], query: dict[str, str], body: Any) -> None:
        if pod := self._pod(path):
            pod.delete()
            self.cluster.pods.pop(pod.name, None)
            self.cluster.deleted.append(pod.name)
            self._send(200, pod.body)

    def _patch(self, path: list[str], query: dict[str, str], body: Json) -> None:
        if pod := self._pod(path):
            pod.labels.update(body["metadata"]["labels"])
            self._send(200, pod.json)

    def _pod(self, path: list[str]) -> Pod | None:
        pod = self.cluster.pods.get(path[1])
        if pod is not None and pod.is_to_vanish:
            del self.cluster.pods[path[1]]
            pod.delete()
            pod = None
        if pod is None:
            self._error(404, f'pods "{path[1]}" not found', "NotFound")
        return pod

    def _events(self, path: list[str], query: dict[str, str], body: Any) -> None:
        name = query.get("fieldSelector", "").removeprefix("involvedObject.name=")
        pod = self.cluster.pods.get(name)
        unpullable = self.cluster.faults.unpullable
        reported = unpullable or pod.json["status"].get("conditions", [{}])[0].get("message") if pod else None
        event = {
            "metadata": {"name": f"{name}.1", "namespace": "ns", "uid": f"{name}.1", "resourceVersion": "1"},
            "involvedObject": {"name": name, "fieldPath": "spec"},
            "type": "Warning",
            "reason": "Failed" if unpullable else "FailedScheduling",
            "message": reported,
        }
        items = [event] if reported else []
        self._send(200, {"apiVersion": "v1", "kind": "EventList", "metadata": {"resourceVersion": "1"}, "items": items})

    # --- logs

    def _log(self, path: list[str], query: dict[str, str], body: Any) -> None:
        pod = self._pod(path)
        if pod is not None and pod.json["status"]["phase"] == "Pending":
            self._error(400, 'container "base" is waiting to start')
        elif pod is not None:
            self._say(pod, query)

    def _say(self, pod: Pod, query: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        stamped = query.get("timestamps") in ("True", "true")
        if query.get("follow") in ("True", "true"):
            self._stream(pod, stamped, int(query.get("sinceSeconds", 0)))
        else:
            count = int(query.get("tailLines", len(pod.lines)))
            lost = pod.faults.no_log or pod.faults.half_open_tail
            for line in pod.lines[max(0, len(pod.lines) - count) :] if not lost else ():
                self._chunk(line, stamped)
            if pod.faults.half_open_tail:
                self._stall()
            self.wfile.write(b"0\r\n\r\n")

    def _stream(self, pod: Pod, stamped: bool, since: int) -> None:
        """Lines as they come until the job ends; or fewer, where a fault says so."""
        number, cuts = pod.streams, pod.faults.cut_streams
        pod.streams += 1
        cut = cuts[number] if number < len(cuts) else 1 if pod.faults.half_open else None
        late = pod.faults.cut_late and number == len(cuts) - 1
        oldest = datetime.now(UTC) - timedelta(seconds=since) if since else datetime.min.replace(tzinfo=UTC)
        sent = 0
        while not pod.faults.no_log and (cut is None or sent < cut):
            with pod.changed:
                if len(pod.lines) <= sent and not pod.job_has_ended:
                    pod.changed.wait(0.5)
            for line in pod.lines[sent : None if cut is None else cut]:
                sent += 1
                if line[0] >= oldest:
                    self._chunk(line, stamped)
            if (pod.job_has_ended and sent >= len(pod.lines)) or pod.is_to_vanish:
                break
        if pod.faults.no_log or late:
            _wait_for_end(pod)
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

    def _chunk(self, line: tuple[datetime, str], stamped: bool) -> None:
        stamp = line[0].strftime("%Y-%m-%dT%H:%M:%S.%fZ ") if stamped else ""
        data = f"{stamp}{line[1]}\n".encode(errors="surrogateescape")
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    # --- answers

    def _error(self, status: int, message: str, reason: str = "") -> None:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
        self._send(status, {**body, "code": status})

    def _send(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(data)


def matches(labels: dict[str, str], selector: str) -> bool:
    """Whether labels fit a selector of `a=b`, `a!=b`, `a` and `!a`."""
    for one in filter(None, selector.split(",")):
        if "!=" in one:
            key, value = one.split("!=")
            fits = labels.get(key) != value
        elif "=" in one:
            key, value = one.split("=")
            fits = labels.get(key) == value
        else:
            fits = (one.removeprefix("!") in labels) is not one.startswith("!")
        if not fits:
            return False
    return True


def not_restricted(spec: Json) -> str:
    """What of a pod the restricted Pod Security standard forbids; empty if nothing."""
    every = [one.get("securityContext", {}) for one in (*spec["containers"], *(spec.get("initContainers") or ()))]
    wanted = {
        "runAsNonRoot": spec.get("securityContext", {}).get("runAsNonRoot") is True,
        "seccompProfile": spec.get("securityContext", {}).get("seccompProfile", {}).get("type") == "RuntimeDefault",
        "allowPrivilegeEscalation": all(own.get("allowPrivilegeEscalation") is False for own in every),
        "capabilities": all(own.get("capabilities", {}).get("drop") == ["ALL"] for own in every),
        "one container": len(spec["containers"]) == 1,
    }
    return ", ".join(what for what, holds in wanted.items() if not holds)


def _wait_for_end(pod: Pod) -> None:
    with pod.changed:
        pod.changed.wait_for(lambda: pod.job_has_ended, STALL_SECONDS)
