"""A pod of the stand-in: the real merge job as a local process, and what Kubernetes would say of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from config_schema import names
from tests.kubernetes.faults import Faults

Json = dict[str, Any]
GRACE_SECONDS = 5.0
PROGRAMS = {"merge-job": "merge_jobs", "dagfactory": "airflow_plugin"}  # of the image
ENTRYPOINT = ["merge-job"]


class Pod:
    """Runs from when it is made. `body` is what was posted; `secrets` are the namespace's, by name and key."""

    def __init__(self, body: Json, secrets: dict[str, dict[str, str]], faults: Faults) -> None:
        self.body = body
        self.faults = faults
        self.lines: list[tuple[datetime, str]] = [(datetime.now(UTC), line) for line in faults.says_first]
        self.changed = threading.Condition()
        self.streams = 0  # log requests that followed
        self._folder = tempfile.TemporaryDirectory(prefix="pod-")
        self._message = Path(self._folder.name) / "termination-log"
        self._process: subprocess.Popen[str] | None = None
        self._exit: int | None = None
        self._ended_at: datetime | None = None
        if faults.at_start is not None:
            faults.at_start()
        if not (faults.unscheduled or faults.unpullable or faults.evicted):
            self._start(secrets)

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def labels(self) -> dict[str, str]:
        return self.body["metadata"].setdefault("labels", {})

    @property
    def job_has_ended(self) -> bool:
        return self._exit is not None

    @property
    def held(self) -> bool:
        """A job is quicker than a stream: it appears to run until those that are to be cut have been."""
        cuts = len(self.faults.cut_streams) - (1 if self.faults.cut_late else 0)
        return self.streams <= cuts

    @property
    def runs(self) -> bool:
        if self._process is None:
            return False
        if self._ended_at is None or (bool(self.faults.cut_streams) and self.held):
            return True
        return datetime.now(UTC) - self._ended_at < timedelta(seconds=self.faults.status_lag)

    @property
    def is_to_vanish(self) -> bool:
        return bool(self.lines) if self.faults.vanish == "early" else self.faults.vanish == "late" and not self.runs

    @property
    def json(self) -> Json:
        return {**self.body, "apiVersion": "v1", "kind": "Pod", "status": self._status()}

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

    def _start(self, secrets: dict[str, dict[str, str]]) -> None:
        assert all(volume["emptyDir"].keys() == {"sizeLimit"} for volume in self.body["spec"]["volumes"])
        for container in self.body["spec"].get("initContainers") or ():
            command, environment = self._command(container, secrets)
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
            self.lines += [(datetime.now(UTC), line) for line in done.stderr.splitlines()]
            if done.returncode != 0:
                self._exit, self._ended_at = done.returncode, datetime.now(UTC)
                return
        command, environment = self._command(self.body["spec"]["containers"][0], secrets)
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
            Path(folder + mount).mkdir(exist_ok=True)
        program = PROGRAMS[(container.get("command") or ENTRYPOINT)[0]]
        return [sys.executable, "-m", program, *map(here, container["args"])], environment

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self.changed:
                self.lines.append((datetime.now(UTC), line.rstrip("\n")))
                self.changed.notify_all()
            if self.faults.out_of_memory:
                self._process.kill()
                break
        self._process.stdout.close()
        code = self._process.wait()
        with self.changed:
            self._exit = code if code >= 0 else 128 - code
            self._ended_at = datetime.now(UTC)
            self.changed.notify_all()

    def _status(self) -> Json:
        if self.faults.evicted:
            return {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
        if self.faults.unscheduled:
            reason = {"reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient memory."}
            return {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", **reason}]}
        scheduled = [{"type": "PodScheduled", "status": "True"}]
        if self.faults.unpullable:
            state: Json = {"waiting": {"reason": "ErrImagePull", "message": self.faults.unpullable}}
            phase = "Pending"
        elif self.runs:
            state, phase = {"running": {"startedAt": _text(self.lines[0][0] if self.lines else None)}}, "Running"
        else:
            state, phase = {"terminated": self._terminated()}, "Failed" if self._exit else "Succeeded"
        image = self.body["spec"]["containers"][0]["image"]
        status = {"name": "base", "image": image, "imageID": "", "restartCount": 0, "state": state}
        return {"phase": phase, "conditions": scheduled, "containerStatuses": [{**status, "ready": self.runs}]}

    def _terminated(self) -> Json:
        reason = "OOMKilled" if self.faults.out_of_memory else "Error" if self._exit else "Completed"
        message = "" if self.faults.no_message else self._message.read_text("utf-8")[:4096]
        reported = {"message": message} if message else {}
        return {"exitCode": self._exit, "reason": reason, "finishedAt": _text(self._ended_at), **reported}


def _value(variable: Json, secrets: dict[str, dict[str, str]]) -> str | None:
    if "valueFrom" not in variable:
        return str(variable["value"])
    reference = variable["valueFrom"]["secretKeyRef"]
    value = secrets.get(reference["name"], {}).get(reference["key"])
    assert value is not None or reference.get("optional"), f"CreateContainerConfigError: {reference}"
    return value


def _text(time: datetime | None) -> str:
    return (time or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
