"""A job as a child process: what it gets of the worker's environment, its lines as they come, and its end.

The process has a group of its own, so that the end leaves nothing of it behind.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from airflow_plugin.jobs.merge_job import PodJob, environment_variables

LINE_BYTES = 1 << 20  # a longer line is handed on in pieces, so that no output grows the worker's memory
END_SECONDS = 3.0  # Airflow kills a task 5 seconds after it asked it to end
POLL_SECONDS = 0.5
EXIT_POLL_SECONDS = 0.02
# All that a job gets of the worker's environment, beside the secrets that it names. PGSSLMODE and its like are not
# among it: how a database is reached is said by the model and the settings, the same for every runner.
INHERITED = re.compile(
    r"PATH|HOME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|PYTHONPATH"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GIT_SSL_CAINFO|PGSSLROOTCERT"
    r"|HTTPS_PROXY|https_proxy|NO_PROXY|no_proxy|SSH_AUTH_SOCK|GIT_SSH|GIT_SSH_COMMAND"  # the way to the model
)


class ChildProcess:
    """Starts at once. `lines()` ends with the process, even where a grandchild still holds its output open."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        """Start the process. Raises OSError if it cannot be started."""
        self._overdue_at: float | None = None
        self._process = subprocess.Popen(
            list(arguments),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_dying_with_parent(),
        )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def ended(self) -> str:
        """How it ended, in words: `exit code 1`, `signal SIGKILL`."""
        code = self._process.wait()
        if code >= 0:
            return f"exit code {code}"
        return f"signal {signal.Signals(-code).name}"

    def lines(self) -> Iterator[str]:
        """Yield the lines of both outputs, without their ends, in the order in which they come."""
        with selectors.DefaultSelector() as selector:
            for pipe in (self._process.stdout, self._process.stderr):
                assert pipe is not None
                selector.register(pipe, selectors.EVENT_READ, _LineBuffer())
            while selector.get_map() or self._process.poll() is None:
                ready = selector.select(POLL_SECONDS if selector.get_map() else EXIT_POLL_SECONDS)
                if not ready and self._process.poll() is not None:
                    break
                for key, _ in ready:
                    chunk = os.read(key.fd, 1 << 16)
                    yield from key.data.lines(chunk)
                    if not chunk:
                        selector.unregister(key.fileobj)
                self._kill_if_overdue()
            for key in list(selector.get_map().values()):
                yield from key.data.lines(b"")

    def ask_to_end(self) -> None:
        """Send SIGTERM to the group; `lines()` sends SIGKILL later. Does not wait, so signal handlers may call it."""
        if self._process.returncode is None:
            self._overdue_at = time.monotonic() + END_SECONDS
            self._signal(signal.SIGTERM)

    def end(self) -> None:
        """End the whole group: by SIGTERM, and what is left after some seconds by SIGKILL. Again does nothing."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _kill_if_overdue(self) -> None:
        if self._overdue_at is not None and time.monotonic() > self._overdue_at:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


class _LineBuffer:
    def __init__(self) -> None:
        self._rest = b""

    def lines(self, chunk: bytes) -> Iterator[str]:
        """Yield the lines that the chunk completes; an empty chunk completes the last."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        while len(self._rest) > LINE_BYTES:
            whole.append(self._rest[:LINE_BYTES])
            self._rest = self._rest[LINE_BYTES:]
        if not chunk and self._rest:
            whole.append(self._rest)
            self._rest = b""
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")


def _dying_with_parent() -> Callable[[], object] | None:
    """Return what makes the job die with a killed worker, on Linux; elsewhere it ends at its next line."""
    if sys.platform != "linux":
        return None
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    pr_set_pdeathsig = 1
    return lambda: prctl(pr_set_pdeathsig, signal.SIGTERM)


def job_environment(job: PodJob, worker: Mapping[str, str]) -> dict[str, str]:
    """Return the inherited variables and the job's secrets of the worker, which its logs mask from now on."""
    from airflow.sdk.log import mask_secret  # who runs another program as a child does not need it

    secrets = job.secrets
    inherited = {name: value for name, value in worker.items() if INHERITED.fullmatch(name)}
    given = {secret.name: worker[secret.name] for secret in secrets if secret.name in worker}
    for secret in secrets:
        if secret.key != "username" and secret.name in given:
            mask_secret(given[secret.name])
    return inherited | environment_variables(job) | given
