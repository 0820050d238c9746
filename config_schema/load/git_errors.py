"""What can go wrong with the model's repository, and which of it a message of git means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from config_schema.errors import StreamFactoryError

# What git's messages mean; LC_ALL keeps them in English.
NOT_THERE = ("couldn't find remote ref", "not our ref", "not a tree", "unable to read", "unadvertised object")
NO_ACCESS = ("Authentication failed", "could not read Username", "Permission denied", "returned error: 403")
NO_REPOSITORY = ("not a git repository", "does not appear to be a git repository", "' not found")
NETWORK = ("Could not resolve", "timed out", "Connection", "Failed to connect", "early EOF", "HTTP 5", "error: 5")

REDIRECTED = re.compile(r"requested URL returned error: 30\d")


class GitError(StreamFactoryError):
    """git has failed at a task with the model's repository.

    Check the address of the repository and the network to its server; git's own last line is in the error.
    """

    code = "DF1101"

    def __init__(self, where: str, what: str, todo: str, *, retryable: bool = False) -> None:
        self.repository = where
        super().__init__(where, what, todo)
        self.retryable = retryable


class GitNotStarted(GitError):
    """git cannot be started: the program, or the folder in which it should run, does not exist.

    Install git, and check the path of the folder.
    """

    code = "DF1102"

    def __init__(self) -> None:
        super().__init__("git", "the program, or the folder, is not there", "Install git; check the path")


class GitTooSlow(GitError):
    """git does not end within its time limit.

    Check the network to the repository's server, and try again.
    """

    code = "DF1103"

    def __init__(self, repository: str, step: str, seconds: float) -> None:
        self.step, self.seconds = step, seconds
        what = f"git {step} took longer than {seconds:g} s"
        super().__init__(repository, what, "Check the network to the server", retryable=True)


class RepositoryClosed(GitError):
    """The repository's server does not let git in.

    Check the token in the git secret, and its rights on the repository.
    """

    code = "DF1104"

    def __init__(self, repository: str) -> None:
        super().__init__(repository, "no access", "Check the token in the git secret and its rights on the repository")


class RevisionMissing(GitError):
    """The repository has no such branch, tag or commit, or the commit is not on the branch.

    Check the branch and the commit; run dagfactory sync if the recorded commit is no longer on the branch.
    """

    code = "DF1105"

    def __init__(self, repository: str, what: str, todo: str, revision: str | None = None) -> None:
        self.revision = revision  # None where it is in git's own words only
        super().__init__(repository, what, todo)


class ServerRedirects(GitError):
    """The repository's server redirects git to another address, which is not followed: it could be anybody's.

    Write the repository's final address in the model and in the platform's settings.
    """

    code = "DF1106"

    def __init__(self, repository: str, to: str = "") -> None:
        self.to = to  # a host, where it may be shown
        on = f", on {to}" if to else ""
        what = f"the server redirects to another address{on}; redirects are not followed"
        todo = "Write the repository's final address in the model and in the platform's settings"
        super().__init__(repository, what, todo)


class AddressRefused(GitError):
    """The address of the model's repository is not valid, or contains a password.

    Write it as https://server/path, ssh://server/path or a path; a password belongs in the git secret, as its
    token.
    """

    code = "DF1107"


class NotCommitted(GitError):
    """Files of the model differ from the commit that is checked out: what runs must be what was synced.

    Commit them first.
    """

    code = "DF1108"

    def __init__(self, folder: Path, files: Iterable[str]) -> None:
        self.files = tuple(files)
        what = f"{', '.join(self.files)}: there are changes that are not committed"
        super().__init__(str(folder), what, "Commit them first")


class HistoryMissing(GitError):
    """The history that is checked out does not contain the commit that the model is compared with.

    Merge or rebase first, or fetch the whole history: git fetch --unshallow.
    """

    code = "DF1109"

    def __init__(self, folder: Path, revision: str, what: str, todo: str) -> None:
        self.revision = revision
        super().__init__(str(folder), what, todo)


class RepositoryMissing(GitError):
    """There is no git repository at this address or in this folder, or it has no commit yet.

    Check the address and the rights of the token; commit the model first.
    """

    code = "DF1110"


def git_failed(where: str, step: str, said: str) -> GitError:
    """Return the error that git means by what it said while it did `step` with the repository `where`."""
    lines = said.splitlines() or ["no message"]
    last = next((line for line in lines if line.startswith("fatal:")), lines[-1])
    if REDIRECTED.search(said):
        return ServerRedirects(where)
    if any(sign in said for sign in NO_ACCESS):
        return RepositoryClosed(where)
    if any(sign in said for sign in NOT_THERE):
        return RevisionMissing(where, f"no such branch or commit ({last})", "Check branch and commit")
    if any(sign in said for sign in NO_REPOSITORY):
        return RepositoryMissing(where, "this is no git repository", "Check the address, and the rights of the token")
    if "Needed a single revision" in said:
        return RepositoryMissing(where, "the repository has no commit yet", "Commit the model first")
    network = any(sign in said for sign in NETWORK)
    return GitError(where, f"git {step} failed: {last}", "Check the address and the network", retryable=network)
