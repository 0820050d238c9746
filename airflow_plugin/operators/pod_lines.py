"""Lines of a pod's log, of which none can grow the worker's memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from airflow_plugin.operators.child_process import LINE_BYTES


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a log without their ends, each cut after LINE_BYTES.

    A container runtime cuts long lines, and the API server joins them again: no server limits a line.
    """
    line = bytearray()
    for chunk in chunks:
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            line += end[: LINE_BYTES - len(line)]
            yield bytes(line)
            line.clear()
        line += rest[: LINE_BYTES - len(line)]
    if line:
        yield bytes(line)


class BoundedAnswer:
    """An answer of the API server; the lines of its stream are not longer than those of `lines_of`."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        """Yield the answer line by line."""
        for line in lines_of(self._answer.stream(*args, **kwargs)):
            yield line + b"\n"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answer, name)
