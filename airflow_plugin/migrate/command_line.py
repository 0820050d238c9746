"""The command line of a static file's job, by the keys of a stream's config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PLATFORM, STORE, DATASET, DATASETS = "platform", "store", "dataset", "datasets"
KEYS = {
    "platform-name": PLATFORM,
    "platform": PLATFORM,
    "store-name": STORE,
    "store": STORE,
    "dataset-name": DATASET,
    "dataset": DATASET,
    "datasets": DATASETS,
    "git-repo-url": "git_repo_url",
    "git-repo-branch": "git_repo_branch",
    "git-branch": "git_repo_branch",
    "postgres-host": "postgres_hostname",
    "postgres-port": "postgres_port",
    "postgres-database": "postgres_database",
}
# What the new job does by itself, or is given in another way.
WITHOUT_A_KEY = ("operation", "git-repo-path", "use-git-cache", "max-cache-age-minutes", "rte-name", "credential-store")


@dataclass(frozen=True)
class CommandLine:
    """`values` by key; `others` are the names of flags without a key in a stream's config."""

    values: dict[str, Any]
    others: tuple[str, ...]


def command_line(words: Sequence[str]) -> CommandLine:
    """Return the values of `--name value` and `--name=value`; a name without a value is a flag that is set."""
    given: dict[str, str] = {}
    name = None
    for word in words:
        if word.startswith("--"):
            name, sign, value = word[2:].partition("=")
            given[name] = value
            name = None if sign else name
        elif name is not None:
            given[name], name = word, None
    values: dict[str, Any] = {KEYS[flag]: value for flag, value in given.items() if flag in KEYS and value}
    if DATASETS in values:
        values[DATASETS] = [one for one in values[DATASETS].split(",") if one]
    if str(values.get("postgres_port", "")).isdecimal():
        values["postgres_port"] = int(values["postgres_port"])
    others = tuple(flag for flag in given if flag not in KEYS and flag not in WITHOUT_A_KEY)
    return CommandLine(values, others)
