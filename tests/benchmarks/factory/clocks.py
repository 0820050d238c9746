"""Clocks on functions, without a profiler: each adds up the wall and CPU seconds of the outermost calls."""

from __future__ import annotations

import functools
import importlib
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

OFTEN = ("construct", "judge")  # called for each stream


class Clock:
    """Runs while it is entered, or in a function it is put on; called again within itself it goes on."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self._runs = False

    def __enter__(self) -> Clock:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.cpu += time.process_time() - self._cpu
        self.wall += time.perf_counter() - self._wall

    def on(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with this clock running in it."""

        # Short, because what it does itself counts as the caller's time.
        @functools.wraps(function)
        def clocked(*args: Any, **kwargs: Any) -> Any:
            if self._runs:
                return function(*args, **kwargs)
            self._runs = True
            try:
                with self:
                    return function(*args, **kwargs)
            finally:
                self._runs = False

        return clocked

    def on_often(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same for a function that is called thousands of times, by wall seconds alone.

        The CPU clock is a system call, after which the caller goes on with cold caches: with eight for each DAG a
        parse took a quarter longer, and all of that counted as the caller's.
        """
        now = time.perf_counter

        @functools.wraps(function)
        def clocked(*args: Any, **kwargs: Any) -> Any:
            if self._runs:
                return function(*args, **kwargs)
            self._runs, began = True, now()
            try:
                return function(*args, **kwargs)
            finally:
                self.wall += now() - began
                self._runs = False

        return clocked


class Clocks(defaultdict[str, Clock]):
    """By name."""

    def __init__(self) -> None:
        super().__init__(Clock)

    @property
    def wall(self) -> dict[str, float]:
        return {name: clock.wall for name, clock in self.items()}

    @property
    def cpu(self) -> dict[str, float]:
        """CPU seconds; where there are only wall seconds, so much of them as the calls around them were at work."""
        around, waits = self["publish"] if "publish" in self else self["load"], self.get("read", Clock())
        at_work = (around.cpu - waits.cpu) / ((around.wall - waits.wall) or 1.0)
        return {name: clock.cpu or clock.wall * at_work for name, clock in self.items()}


def watch(functions: Mapping[str, list[str]], clocks: Clocks) -> None:
    """Put the clock of each name on its functions, given as `package.module:Class.method`."""
    for name, places in functions.items():
        for place in places:
            module, _, path = place.partition(":")
            *owners, attribute = path.split(".")
            owner = functools.reduce(getattr, owners, importlib.import_module(module))
            on = clocks[name].on_often if name in OFTEN else clocks[name].on
            setattr(owner, attribute, on(getattr(owner, attribute)))
