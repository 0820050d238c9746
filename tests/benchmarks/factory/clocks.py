"""Clocks on functions, without a profiler: each adds up the wall and CPU seconds of the outermost calls."""

from __future__ import annotations

import functools
import importlib
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any


class Clock:
    """Runs while it is entered; entered again within itself it goes on."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self._depth = 0

    def __enter__(self) -> Clock:
        self._depth += 1
        if self._depth == 1:
            self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.wall += time.perf_counter() - self._wall
            self.cpu += time.process_time() - self._cpu

    def on(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with this clock running in it."""

        @functools.wraps(function)
        def clocked(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

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
        return {name: clock.cpu for name, clock in self.items()}


def watch(functions: Mapping[str, list[str]], clocks: Clocks) -> None:
    """Put the clock of each name on its functions, given as `package.module:Class.method`."""
    for name, places in functions.items():
        for place in places:
            module, _, path = place.partition(":")
            *owners, attribute = path.split(".")
            owner = functools.reduce(getattr, owners, importlib.import_module(module))
            setattr(owner, attribute, clocks[name].on(getattr(owner, attribute)))
