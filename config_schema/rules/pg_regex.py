"""Mistakes in regular expressions that plain code can find; PostgreSQL refuses all of them.

PostgreSQL may refuse others when the check runs. See "Regular Expression Details" in its documentation.
"""

from __future__ import annotations

import re

MOST_REPEATS = 255
# Texts that change the syntax of what follows: nothing is said of these.
DIRECTOR = re.compile(r"\*\*\*|\(\?[a-z]+\)")
BRACKET = re.compile(r"\[\^?+\]?+(?:\[:[a-z]+:\]|\[=.+?=\]|\[\..+?\.\]|\\.|[^\]\\])*\]", re.DOTALL)
GROUP = re.compile(r"\((?:\?(?::|<?[=!]))?")
BOUND = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def fault(pattern: str) -> str | None:
    """Return why PostgreSQL could not compile the pattern; None if nothing is found."""
    if DIRECTOR.match(pattern):
        return None
    depth, at, repeatable = 0, 0, False
    while at < len(pattern):
        sign, rest = pattern[at], pattern[at:]
        if sign == "\\" and len(rest) == 1:
            return "it ends in a backslash"
        if sign == "[":
            found = BRACKET.match(rest)
            if found is None:
                return "a [ is not closed"
            at, repeatable = at + found.end(), True
        elif sign == "(":
            found = GROUP.match(rest)
            assert found is not None
            if rest.startswith("(?") and found.end() == 1:
                return f"PostgreSQL has no group {rest[:4]!r}"
            at, depth, repeatable = at + found.end(), depth + 1, False
        elif sign == ")":
            if depth == 0:
                return "a ) has no ("
            at, depth, repeatable = at + 1, depth - 1, True
        elif sign in "*+?" or BOUND.match(rest):
            if not repeatable:
                return f"there is nothing for {sign!r} to repeat"
            bound = BOUND.match(rest)
            if bound and not _bound_holds(*bound.groups()):
                return f"{bound.group()} is no number of repeats; the most is {MOST_REPEATS}"
            at += bound.end() if bound else 1
            at += pattern.startswith("?", at)  # as few as may be
            repeatable = False
        else:
            at += 2 if sign == "\\" else 1
            repeatable = sign not in "|^"
    return "a ( is not closed" if depth else None


def _bound_holds(least: str, most: str | None) -> bool:
    highest = int(most or least)
    return int(least) <= highest <= MOST_REPEATS
