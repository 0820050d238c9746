"""What can happen to pods, their logs and the API server; a case sets it before its task runs.

What a row can bring about (no node, no image, too little memory or scratch space) needs no fault: the stand-in does
what a node does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Refusal:
    """The next `times` calls of a verb on a resource are answered with `status`; `done` ones have had their effect.

    `streams` limits it to log requests that follow, or to those that do not.
    """

    verb: str
    resource: str
    status: int = 500
    times: int = 1
    done: bool = False
    streams: bool | None = None


@dataclass
class Faults:
    """Of the pods that are created from now on, and of the calls that are made."""

    at_start: Callable[[], None] | None = None  # called before a pod starts: what happens to its network, for instance
    cut_streams: list[int] = field(default_factory=list)  # after how many lines each following request is cut
    cut_late: bool = False  # the (last) cut comes only when the job has ended, with its last lines unsent
    half_open: bool = False  # the stream sends a line and nothing more, and does not end
    half_open_tail: bool = False  # neither do the log's last lines
    vanish: str = ""  # the pod: "early", as soon as it has said a line, or "late", when its job has ended
    no_log: bool = False  # an empty one: rotated away, or its node is gone
    no_message: bool = False
    no_phase: bool = False  # the pod's, of which its node says to the end what it said at the beginning
    says_first: tuple[str, ...] = ()  # lines in the log, as data that is printed would make them
    refusals: list[Refusal] = field(default_factory=list)

    # Of the stand-in only.
    status_lag: float = 0  # seconds after which a node reports that a container has ended; real ones take about one
    unpullable: str = ""  # what the registry says of the image
    evicted: bool = False  # before it has started

    def refusal(self, verb: str, resource: str, follows: bool) -> Refusal | None:
        """The refusal that the call meets, counted down."""
        for one in self.refusals:
            if (one.verb, one.resource) == (verb, resource) and one.times > 0 and one.streams in (None, follows):
                one.times -= 1
                return one
        return None
