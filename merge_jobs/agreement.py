"""Where the command, which comes from a row of the stream table, and the model in git must agree.

Both are looked at before a session is opened: whoever can write a row must not get a password sent elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from config_schema.model import Database, SourceKind
from merge_jobs.errors import CommandWrong


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
    # A sync that came between the two mends itself.
    raise CommandWrong("--source-credential", what, "Run dagfactory sync", retryable=True)
