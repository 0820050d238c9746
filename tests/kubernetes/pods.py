"""A pod of the stand-in: the real merge job as a local process, and what Kubernetes would say of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow_plugin.rows.policy import quantity
from config_schema import names
from tests.kubernetes.faults import Faults
from tests.kubernetes.front import Json, Observed

GRACE_SECONDS = 5.0
PROGRAMS = {"merge-job": "merge_jobs", "dagfactory": "airflow_plugin"}  # of the image
ENTRYPOINT = ["merge-job"]
NOBODY = 65534
NODE_MEMORY = quantity("64Gi")
JOB_MEMORY = quantity("20Mi")  # less than this kills it
JOB_STORAGE = quantity("4Ki")  # of its log's first line
NO_NODE = "0/1 nodes are available: 1 {}. {} 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
NO_REGISTRY = (
    'failed to pull and unpack image "{image}": failed to resolve reference "{image}": failed to do request: '
    "Head dial tcp {host}: connect: connection refused"
)


class Pod(Observed):
    """Runs from when it is made. `body` is what was posted; `secrets` are the namespace's, by name and key."""

    def __init__(self, body: Json, secrets: dict[str, dict[str, str]], faults: Faults) -> None:
        super().__init__(faults)
        self.body = body
        self._said: list[tuple[datetime, str]] = [(datetime.now(UTC), line) for line in faults.says_first]
        self._changed = threading.Condition()
        self._folder = tempfile.TemporaryDirectory(prefix="pod-")
        self._message = Path(self._folder.name) / "termination-log"
        self._process: subprocess.Popen[str] | None = None
        self._exit: int | None = None
        self._ended_at: datetime | None = None
        self._last_words = ""
        self._phase = "Pending"  # as its node has reported it last
        self._end_is_reported = False
        if faults.at_start is not None:
            faults.at_start()
        if not (self._unscheduled or self._unpullable or faults.evicted):
            self._start(secrets)

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def labels(self) -> dict[str, str]:
        return self.body["metadata"].setdefault("labels", {})

    @property
    def lines(self) -> list[str]:
        return [line for _, line in self._said]

    @property
    def job_has_ended(self) -> bool:
        return self._exit is not None

    @property
    def runs(self) -> bool:
        if self._process is None:
            return False
        if self._ended_at is None or self.held:
            return True
        return datetime.now(UTC) - self._ended_at < timedelta(seconds=self.faults.status_lag)

    @property
    def is_waiting(self) -> bool:
        return bool(self._unscheduled or self._unpullable)

    @property
    def json(self) -> Json:
        return {**self.body, "apiVersion": "v1", "kind": "Pod", "status": self._status()}

    @property
    def events(self) -> list[tuple[str, str]]:
        """Return reason and message of each."""
        if self._unscheduled:
            return [("FailedScheduling", self._unscheduled)]
        if self._unpullable:
            return [("Failed", self._unpullable)]
        return [("Evicted", self._outgrown)] if self._outgrown and self.job_has_ended else []

    def followed(self, oldest: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield the lines from a time on as they come, until the job ends."""
        sent = 0
        while new := self._said_after(sent):
            sent += len(new)
            yield from (line for line in new if line[0] >= oldest)

    def _said_after(self, count: int) -> list[tuple[datetime, str]]:
        """Wait for more lines than so many; none come once the job has ended."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._said) > count or self.job_has_ended)
            return self._said[count:]

    def last(self, count: int | None) -> list[tuple[datetime, str]]:
        return self._said if count is None else self._said[max(0, len(self._said) - count) :]

    def delete(self) -> None:
        """SIGTERM, and SIGKILL when the grace period is over."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._reader.join()
        self._folder.cleanup()

    # --- what its specification makes of it

    @property
    def _container(self) -> Json:
        return self.body["spec"]["containers"][0]

    def _amount(self, kind: str, name: str) -> int | None:
        amount = ((self._container.get("resources") or {}).get(kind) or {}).get(name)
        return None if amount is None else quantity(amount)

    @property
    def _unscheduled(self) -> str:
        if self.body["spec"].get("nodeSelector"):
            what = "node(s) didn't match Pod's node affinity/selector"
        elif (self._amount("requests", "memory") or 0) > NODE_MEMORY:
            what = "Insufficient memory"
        else:
            return ""
        return NO_NODE.format(what, "no new claims to deallocate, preemption:")

    @property
    def _unpullable(self) -> str:
        host = self._container["image"].partition("/")[0]
        if host.startswith("127.0.0.1:"):
            return NO_REGISTRY.format(image=self._container["image"], host=host)
        return self.faults.unpullable

    @property
    def _outgrown(self) -> str:
        limit = self._amount("limits", "ephemeral-storage")
        if limit is None or limit >= JOB_STORAGE:
            return ""
        given = self._container["resources"]["limits"]["ephemeral-storage"]
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {given}. "

    @property
    def _takes_too_much_memory(self) -> bool:
        limit = self._amount("limits", "memory")
        return limit is not None and limit < JOB_MEMORY

    # --- the job

    def _start(self, secrets: dict[str, dict[str, str]]) -> None:
        assert all(volume["emptyDir"].keys() == {"sizeLimit"} for volume in self.body["spec"]["volumes"])
        for container in self.body["spec"].get("initContainers") or ():
            command, environment = self._command(container, secrets)
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
            self._said += [(datetime.now(UTC), line) for line in done.stderr.splitlines()]
            if done.returncode != 0:
                self._exit, self._ended_at = done.returncode, datetime.now(UTC)
                return
        command, environment = self._command(self._container, secrets)
        self._message.touch()
        environment[names.TERMINATION_MESSAGE_VARIABLE] = str(self._message)
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=self._folder.name,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _command(self, container: Json, secrets: dict[str, dict[str, str]]) -> tuple[list[str], dict[str, str]]:
        """Return a container's command and environment, with its volumes in the pod's folder."""
        mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert "/tmp" in mounts
        folder = self._folder.name

        def here(text: str) -> str:
            for mount in mounts:
                text = re.sub(rf"(^|=){mount}(?=/|$)", rf"\1{folder}{mount}", text)
            return text

        given = {one["name"]: _value(one, secrets) for one in container["env"]}
        environment = {name: here(value) for name, value in given.items() if value is not None}
        environment |= {"PATH": os.environ["PATH"], "TMPDIR": folder, "HOME": folder, "PYTHONUNBUFFERED": "1"}
        for mount in mounts:
            _make_volume(Path(folder + mount))
        program = PROGRAMS[(container.get("command") or ENTRYPOINT)[0]]
        return [sys.executable, "-m", program, *map(here, container["args"])], environment

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self._said.append((datetime.now(UTC), line.rstrip("\n")))
                self._changed.notify_all()
            if self._takes_too_much_memory or self._outgrown:
                self._process.kill()
                break
        self._process.stdout.close()
        code = self._process.wait()
        self._last_words = self._message.read_text("utf-8")[:4096]
        with self._changed:
            self._exit = code if code >= 0 else 128 - code
            self._ended_at = datetime.now(UTC)
            self._changed.notify_all()

    # --- what its node reports

    def _status(self) -> Json:
        """Return what its node has reported: a container's end a while before the phase that the pod is in then."""
        if self.faults.evicted:
            return {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
        if self._unscheduled:
            reason = {"reason": "Unschedulable", "message": self._unscheduled}
            return {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", **reason}]}
        scheduled = [{"type": "PodScheduled", "status": "True"}]
        why = {}
        if self._unpullable:
            state: Json = {"waiting": {"reason": "ErrImagePull", "message": self._unpullable}}
            phase = "Pending"
        elif self.runs:
            state, phase = {"running": {"startedAt": _text(self._said[0][0] if self._said else None)}}, "Running"
        elif not self._end_is_reported:
            self._end_is_reported, state, phase = True, {"terminated": self._terminated()}, self._phase
        else:
            state, phase = {"terminated": self._terminated()}, "Failed" if self._exit else "Succeeded"
            why = {"reason": "Evicted", "message": self._outgrown} if self._outgrown else {}
        self._phase = "Pending" if self.faults.no_phase else phase
        status = {"name": "base", "image": self._container["image"], "imageID": "", "restartCount": 0, "state": state}
        statuses = [{**status, "ready": self.runs}]
        return {"phase": self._phase, "conditions": scheduled, "containerStatuses": statuses, **why}

    def _terminated(self) -> Json:
        reason = "OOMKilled" if self._takes_too_much_memory else "Error" if self._exit else "Completed"
        message = "" if self.faults.no_message else self._last_words
        reported = {"message": message} if message else {}
        return {"exitCode": self._exit, "reason": reason, "finishedAt": _text(self._ended_at), **reported}


def _make_volume(folder: Path) -> None:
    """As a node does it: anybody may write to it, and it is somebody else's."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)


def _value(variable: Json, secrets: dict[str, dict[str, str]]) -> str | None:
    if "valueFrom" not in variable:
        return str(variable["value"])
    reference = variable["valueFrom"]["secretKeyRef"]
    value = secrets.get(reference["name"], {}).get(reference["key"])
    assert value is not None or reference.get("optional"), f"CreateContainerConfigError: {reference}"
    return value


def _text(time: datetime | None) -> str:
    return (time or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
