"""A stand-in for the Kubernetes API server: pods, their logs and events over HTTP, for one who has RIGHTS only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.kubernetes.front import Call, Front, Handler, Json
from tests.kubernetes.limits import Limits
from tests.kubernetes.pods import Pod


class StandIn(Front):
    """The cluster: its secrets, its pods, the calls that were made, and the faults of the case at hand."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self.pods: dict[str, Pod] = {}
        self.limits = Limits()
        super().__init__(_Handler)

    def clean(self) -> None:
        """As if nothing had run here; the calls stay known."""
        for pod in list(self.pods.values()):
            pod.delete()
        self.pods = {}
        self.forget()

    def evict(self, name: str) -> None:
        """As a drain of its node does it."""
        self.pods[name].delete()
        del self.pods[name]

    @contextmanager
    def limited(self, **limits: Any) -> Iterator[None]:
        """Within it the namespace has a quota or limits."""
        self.limits = Limits(**limits)
        yield
        self.limits = Limits()

    def close(self) -> None:
        self.clean()
        self.stop()


class _Handler(Handler):
    cluster: StandIn

    def answer(self, call: Call) -> None:
        answers: dict[tuple[str, str], Callable[[Call], None]] = {
            ("create", "pods"): self._create,
            ("get", "pods"): self._get,
            ("list", "pods"): self._list,
            ("delete", "pods"): self._delete,
            ("patch", "pods"): self._patch,
            ("get", "pods/log"): self._log,
            ("list", "events"): self._events,
        }
        answers[call.verb, call.resource](call)

    def _create(self, call: Call) -> None:
        body = call.body
        if body["metadata"]["name"] in self.cluster.pods:
            return self.error(409, "it exists", "AlreadyExists")
        if wrong := not_restricted(body["spec"]):
            return self.error(403, f"violates PodSecurity restricted: {wrong}")
        posted = json.loads(json.dumps(body))
        status, refusal = self.cluster.limits.refusal(body, len(self.cluster.pods))
        if refusal:
            return self.error(status, refusal)
        self.cluster.created.append(posted)
        pod = Pod(body, self.cluster.secrets, self.cluster.faults)
        self.cluster.pods[pod.name] = pod
        return self.send(201, pod.json)

    def _get(self, call: Call) -> None:
        if pod := self._pod(call):
            self.send(200, pod.json)

    def _list(self, call: Call) -> None:
        selector = call.query.get("labelSelector", "")
        chosen = [pod.json for pod in self.cluster.pods.values() if matches(pod.labels, selector)]
        self.send(200, {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": chosen})

    def _delete(self, call: Call) -> None:
        if pod := self._pod(call):
            pod.delete()
            self.cluster.pods.pop(pod.name, None)
            self.cluster.deleted.append(pod.name)
            self.send(200, pod.body)

    def _patch(self, call: Call) -> None:
        if pod := self._pod(call):
            pod.labels.update(call.body["metadata"]["labels"])
            self.send(200, pod.json)

    def _pod(self, call: Call) -> Pod | None:
        name = call.path[1]
        pod = self.cluster.pods.get(name)
        if pod is not None and pod.is_to_vanish:
            del self.cluster.pods[name]
            pod.delete()
            pod = None
        if pod is None:
            self.error(404, f'pods "{name}" not found', "NotFound")
        return pod

    def _events(self, call: Call) -> None:
        name = call.query.get("fieldSelector", "").removeprefix("involvedObject.name=")
        pod = self.cluster.pods.get(name)
        items = [
            {
                "metadata": {"name": f"{name}.{at}", "namespace": "ns", "uid": f"{name}.{at}", "resourceVersion": "1"},
                "involvedObject": {"name": name, "fieldPath": "spec"},
                "type": "Warning",
                "reason": reason,
                "message": message,
            }
            for at, (reason, message) in enumerate(pod.events if pod else ())
        ]
        self.send(200, {"apiVersion": "v1", "kind": "EventList", "metadata": {"resourceVersion": "1"}, "items": items})

    def _log(self, call: Call) -> None:
        pod = self._pod(call)
        if pod is not None and pod.is_waiting:
            self.error(400, 'container "base" is waiting to start')
        elif pod is not None:
            since = int(call.query.get("sinceSeconds", 0))
            oldest = datetime.now(UTC) - timedelta(seconds=since) if since else datetime.min.replace(tzinfo=UTC)
            count = int(call.query["tailLines"]) if "tailLines" in call.query else None
            lines = pod.followed(oldest) if call.follows else pod.last(count)
            self.say(pod, (_as_bytes(line, call.is_stamped) for line in lines), call.follows)


def _as_bytes(line: tuple[datetime, str], stamped: bool) -> bytes:
    stamp = line[0].strftime("%Y-%m-%dT%H:%M:%S.%fZ ") if stamped else ""
    return f"{stamp}{line[1]}\n".encode(errors="surrogateescape")


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
