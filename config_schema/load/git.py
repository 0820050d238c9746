"""Commits of a model in git: checking one out, what a folder has checked out, and which commits a branch has."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from config_schema.connect_wait import first_connections
from config_schema.load.folder import MODEL_FILES
from config_schema.load.git_errors import (
    AddressRefused,
    GitError,
    HistoryMissing,
    NotCommitted,
    RevisionMissing,
    ServerRedirects,
)
from config_schema.load.git_program import TIME_LIMIT_SECONDS, Git, git_environment

LOOK_SECONDS = 20.0  # for a look at a branch that sync can do without
DEPTHS = (1, 100, 2**31 - 1)  # how far back a commit is looked for on its branch; the last one is git's for all
TRANSPORT = re.compile(r"[A-Za-z0-9+.-]+::")  # git's way to name the program for an address that has another scheme
COMMIT = re.compile(r"[0-9a-f]{40}")
HOST = re.compile(r"[A-Za-z0-9.:-]+")  # what may be shown of an address that a server wrote


def checkout(url: str, branch: str, commit: str | None, into: Path, token: str | None = None) -> str:
    """Check out `commit` (None: the branch's head) of the repository at `url` into `into`; return the commit.

    `into` is an empty folder. `branch` may name a tag, or be a commit if the server allows that. A commit that is
    not on it is refused: servers give away commits of forks by their number. git gets the token as an HTTP header
    from its environment: it is never in the URL, the process list, a file or a log. Raises GitError.
    """
    _check_address(url)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="git-settings-") as settings:
        git = Git(into, git_environment(Path(settings)), url, token)
        git("init", "--quiet", ".")
        for depth in DEPTHS:
            _fetch(git, url, branch, f"--depth={depth}")
            if commit is None or commit in git("rev-list", "FETCH_HEAD").split():
                git("checkout", "--quiet", "--detach", commit or "FETCH_HEAD")
                return git("rev-parse", "HEAD")
    what = f"the branch {branch!r} has no such commit as was asked for"
    raise RevisionMissing(url, what, "Run dagfactory sync", commit)


def _fetch(git: Git, url: str, branch: str, how_much: str) -> None:
    """Fetch the branch, otherwise the tag, of that name, first from a server that may have to be waited for.

    One redirect is followed, on the same server only.
    """
    origin = _origin(url)
    first_connections.reach(
        url if origin is None else f"{origin[1]}:{origin[2]}", lambda: _fetch_redirected(git, url, branch, how_much)
    )


def _fetch_redirected(git: Git, url: str, branch: str, how_much: str) -> None:
    try:
        _fetch_from(git, url, branch, how_much)
    except ServerRedirects as error:
        target = git.redirected_to(url)
        if target is None or _origin(target) is None or _origin(target) != _origin(url):
            raise _refused_redirect(url, target) from error
        try:
            _fetch_from(git, target, branch, how_much)
        except ServerRedirects as again:
            raise _refused_redirect(url, None) from again


def _fetch_from(git: Git, url: str, branch: str, how_much: str) -> None:
    wanted = [f"refs/heads/{branch}", f"refs/tags/{branch}", *([branch] if COMMIT.fullmatch(branch) else [])]
    for number, name in enumerate(wanted, start=1):
        try:
            git.fetch(url, how_much, name)
        except GitError as error:
            if not isinstance(error, RevisionMissing) or number == len(wanted):
                raise
        else:
            return


def _refused_redirect(url: str, target: str | None) -> ServerRedirects:
    origin = None if target is None else _origin(target)
    return ServerRedirects(url, origin[1] if origin is not None and HOST.fullmatch(origin[1]) else "")


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Return scheme, host and port of an address, None if it is not an address."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None


def _check_address(url: str) -> None:
    """Raise GitError for an address that git and we would read differently, or that contains a password.

    Redirects and the token depend on the server in the address.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise AddressRefused("the model's address", "it is none", "Correct it") from error
    if TRANSPORT.match(url) or (parts.scheme in ("http", "https") and not parts.hostname):
        what = "it is no address of a server"
        raise AddressRefused(
            "the model's address", what, "Write it as https://server/path, ssh://server/path or a path"
        )
    if parts.scheme and parts.password is not None:
        where = f"{parts.scheme}://{parts.hostname}{parts.path}"
        raise AddressRefused(
            where, "the address has a password in it", "Keep it in the git secret, under the key token"
        )


def commit_of(folder: Path) -> str:
    """Return the commit of the model in `folder`.

    Raises GitError if the folder is not in git, or if one of the model's files differs from that commit: jobs check
    out the commit, and what runs must be what was synced.
    """
    git = Git(folder, git_environment(None), str(folder))
    commit = git("rev-parse", "--verify", "HEAD")
    files = [name for name in MODEL_FILES if (folder / name).exists()]
    # An eco.py may import what stands beside it; what is not in git there can be anything, an environment for instance.
    changed = [
        *git("status", "--porcelain", "--untracked-files=no", "--", ".").splitlines(),
        *git("status", "--porcelain", "--", *files).splitlines(),
    ]
    if changed:
        raise NotCommitted(folder, dict.fromkeys(line[2:].strip() for line in changed))
    return commit


def commit_if_any(folder: Path) -> str | None:
    """Return the commit that is checked out in `folder`, None if it is not in git or nothing is committed.

    Raises GitError if git cannot read the repository, for instance because it belongs to another user.
    """
    place = folder.resolve()
    if not any((parent / ".git").exists() for parent in (place, *place.parents)):
        return None
    git = Git(folder, git_environment(None), str(folder))
    git("rev-parse", "--git-dir")
    try:
        return git("rev-parse", "--verify", "HEAD")
    except GitError:
        return None


def place_of(folder: Path) -> tuple[Path, str]:
    """Return the repository that a folder is in, and the folder's path inside it. Raises GitError."""
    git = Git(folder, git_environment(None), str(folder))
    return Path(git("rev-parse", "--show-toplevel")), git("rev-parse", "--show-prefix")


def remotes_of(folder: Path) -> list[str]:
    """Return the addresses from which the repository that a folder is in was fetched. Raises GitError."""
    git = Git(folder, git_environment(None), str(folder))
    return [line.partition("\t")[2].rpartition(" ")[0] for line in git("remote", "--verbose").splitlines()]


def is_server_of(url: str, known: Iterable[str]) -> bool:
    """Return whether the server of an address is one of those of known addresses, over a way that is no weaker.

    A token for an address of https is not sent by http; that of an address of ssh is, by https at its own port,
    to the same host.
    """
    origin = _origin(url)
    if origin is None or origin[0] not in ("http", "https"):
        return True  # no token is sent there
    return any(_origin(one) == origin or origin == ("https", _ssh_host(one), 443) for one in known)


def _ssh_host(url: str) -> str | None:
    """Return the host of an address of ssh, which may be written `git@host:path`; None for another address."""
    origin = _origin(url)
    if origin is not None and origin[0] == "ssh":
        return origin[1]
    short = re.fullmatch(r"(?:[^/@]+@)?([^/:@]+):(?!//).*", url)
    return short[1].lower() if short else None


def files_at(folder: Path, revision: str, into: Path) -> None:
    """Copy the files that `folder` had at a revision of its history into the empty folder `into`.

    Copies nothing if the folder did not exist then. Raises GitError.
    """
    top, inside = place_of(folder)
    with tempfile.TemporaryDirectory(prefix="git-index-") as made:
        # An index of its own, and no `git archive`: that leaves out what the repository's own attributes say.
        git = Git(top, git_environment(None) | {"GIT_INDEX_FILE": str(Path(made, "index"))}, str(folder))
        commit = _contained(git, folder, revision)
        tree = inside.rstrip("/")
        if not tree or git("ls-tree", "-d", commit, "--", tree):
            git("read-tree", f"{commit}:{tree}")
            git("checkout-index", "--all", "--quiet", f"--prefix={into}/")


def _contained(git: Git, folder: Path, revision: str) -> str:
    try:
        commit = git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    except GitError as error:
        what = f"there is no revision {revision!r} here"
        raise RevisionMissing(str(folder), what, "Fetch it first, with its history", revision) from error
    if not descends_here(folder, git("rev-parse", "HEAD"), commit):
        what = f"what is checked out does not contain {revision!r}, so that its changes would look as if undone"
        todo = "Merge or rebase first; a workflow checks out the merge of a pull request"
        raise HistoryMissing(folder, revision, what, todo)
    return commit


def descends_here(folder: Path, commit: str, ancestor: str) -> bool:
    """Return whether `commit` is `ancestor` or a descendant of it, by the repository in `folder`.

    Raises GitError if the history is incomplete.
    """
    git = Git(folder, git_environment(None), str(folder))
    if ancestor in git("rev-list", commit).split():
        return True
    if git("rev-parse", "--is-shallow-repository") == "true":
        what = f"the history here does not reach back to {ancestor[:12]}"
        raise HistoryMissing(folder, ancestor, what, "Run git fetch --unshallow there")
    return False


def descends_there(url: str, branch: str, commit: str, ancestor: str, token: str | None = None) -> bool:
    """Return the same by the repository at `url`; only the branch's commits are fetched. Raises GitError."""
    return ancestor in _commits(url, branch, commit, token, TIME_LIMIT_SECONDS)


def is_on_branch(url: str, branch: str, commit: str, token: str | None = None) -> bool:
    """Return whether a branch of the repository at `url` has the commit, as `checkout` asks. Raises GitError."""
    return commit in _commits(url, branch, "FETCH_HEAD", token, LOOK_SECONDS)


def _commits(url: str, branch: str, newest: str, token: str | None, seconds: float) -> list[str]:
    """Return the commits of a branch of the repository at `url`, up to the newest one."""
    _check_address(url)
    with tempfile.TemporaryDirectory(prefix="history-") as folder, tempfile.TemporaryDirectory() as settings:
        git = Git(Path(folder), git_environment(Path(settings)), url, token, seconds)
        git("init", "--quiet", "--bare", ".")
        # Enough history is all of it: without trees and files, where the server can leave those out.
        _fetch(git, url, branch, "--filter=tree:0")
        return git("rev-list", newest).split()
