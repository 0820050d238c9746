"""Where the command, which comes from a row of the stream table, and the model in git must agree.

Both are looked at before a session is opened: whoever can write a row must not get a password sent elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from config_schema.load import Model
from config_schema.model import Database, DatasetSink, SourceKind
from merge_jobs.errors import CommandWrong
from merge_jobs.stream import Stream

SYNC = "Run dagfactory sync"  # one that comes between the reading of the row and the job mends itself: retryable


def check_source_host(source: Database, hosts: Sequence[str] | None) -> None:
    """Raises CommandWrong for a producer's server that is not among `hosts` (host:port); None admits every one.

    A database that is a file has no server, and no password is sent.
    """
    server = f"{source.host}:{source.port}"
    if hosts is None or source.kind is SourceKind.SQLITE or server in hosts:
        return
    what = f"the model's source is {server}, and the platform's settings do not have it"
    raise CommandWrong("--source-hosts", what, "Run dagfactory bootstrap, or add it to allowed.source_hosts")


def check_credential(source: Database, credential: str | None) -> None:
    """Raises CommandWrong where a row names another secret for the source than the model that was synced with it."""
    if credential is None or credential == source.credential or source.kind is SourceKind.SQLITE:
        return
    what = f"the row names the secret {credential!r}, and the model {source.credential!r}"
    raise CommandWrong("--source-credential", what, SYNC, retryable=True)


def check_served(stream: Stream, model: Model) -> None:
    """Raises CommandWrong for a dataset that no dataset group has which the platform serves."""
    groups = {(space.name, group.name): group for space in model.ecosystem.workspaces for group in space.dataset_groups}
    served = {
        sink
        for mapping in model.mappings
        if stream.platform.name in mapping.ingesting
        for sink in groups[mapping.workspace, mapping.dsg_name].sinks
    }
    for dataset in stream.datasets:
        if DatasetSink(stream.store.name, dataset.name) not in served:
            what = f"{stream.platform.name} serves no dataset group with {dataset.name} of {stream.store.name}"
            raise CommandWrong("--datasets", what, SYNC, retryable=True)
