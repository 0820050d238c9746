"""Fetching a model from git: a commit of a branch into an empty folder, shallow, without ever asking a person."""

from __future__ import annotations

import base64
import os
import re
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from config_schema.connect_wait import first_connections
from config_schema.errors import StreamFactoryError
from config_schema.load.folder import MODEL_FILES

TIME_LIMIT_SECONDS = 120.0  # for all of one checkout
LOOK_SECONDS = 20.0  # for a look at a branch that sync can do without
MOST_COMPLAINTS = 1 << 16  # bytes of git's standard error that are kept from its beginning, and from its end
DEPTHS = (1, 100, 2**31 - 1)  # how far back a commit is looked for on its branch; the last one is git's for all
PROTOCOLS = "file:http:https:ssh"  # none that runs a program of the address's choice, whatever the user's settings say
TRANSPORT = re.compile(r"[A-Za-z0-9+.-]+::")  # git's way to name the program for an address that has another scheme
COMMIT = re.compile(r"[0-9a-f]{40}")

# What git's messages mean; LC_ALL keeps them in English.
NOT_THERE = ("couldn't find remote ref", "not our ref", "not a tree", "unable to read", "unadvertised object")
NO_ACCESS = ("Authentication failed", "could not read Username", "Permission denied", "returned error: 403")
NO_REPOSITORY = ("not a git repository", "does not appear to be a git repository", "' not found")
NETWORK = ("Could not resolve", "timed out", "Connection", "Failed to connect", "early EOF", "HTTP 5", "error: 5")

REDIRECTED = re.compile(r"requested URL returned error: 30\d")
LOCATION = re.compile(r"Recv header: location: (\S+)", re.IGNORECASE)
HOST = re.compile(r"[A-Za-z0-9.:-]+")  # what may be shown of an address that a server wrote
FETCHED_FIRST = "/info/refs"  # what git asks a server for first, below the repository's address

# A local repository may belong to another user than the one in the container. A file, because git does not hand
# settings in the environment on to the process that serves a local path.
TRUSTING = "[safe]\n\tdirectory = *\n"


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


class _Git:
    """git in a folder, with one time limit for all of its calls; none of its processes is left running."""

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str],
        where: str,
        token: str | None = None,
        seconds: float | None = None,
    ) -> None:
        self._folder, self._environment, self._where, self._token = folder, environment, where, token
        self._seconds = TIME_LIMIT_SECONDS if seconds is None else seconds
        self._end = time.monotonic() + self._seconds

    def __call__(self, *arguments: str) -> str:
        """Return what git prints. Raise GitError if it fails."""
        return self._run(arguments, {})

    def fetch(self, url: str, how_much: str, name: str) -> None:
        """Fetch `name` from `url`. Raises GitError; ServerRedirects if the server redirects."""
        settings = _http_settings(url, self._token)
        self._run(("fetch", "--quiet", how_much, "--no-tags", "--", url, name), settings)

    def redirected_to(self, url: str) -> str | None:
        """Return the address that the server of `url` redirects git to, None if it names none."""
        # Its trace on standard error shows the headers; git replaces the token in it.
        trace = {"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}
        _, traced, _ = self._start(("ls-remote", "--", url), _http_settings(url, self._token) | trace)
        found = LOCATION.search(traced)
        if found is None:
            return None
        try:
            return str(urljoin(f"{url}{FETCHED_FIRST}", found[1])).partition(FETCHED_FIRST)[0]
        except ValueError:
            return None

    def _run(self, arguments: tuple[str, ...], added: dict[str, str]) -> str:
        printed, complained, failed = self._start(arguments, added)
        if failed:
            raise _failure(self._where, arguments[0], complained)
        return printed

    def _start(self, arguments: tuple[str, ...], added: dict[str, str]) -> tuple[str, str, bool]:
        try:
            process = subprocess.Popen(
                ["git", *arguments],
                cwd=self._folder,
                env=self._environment | added,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise GitNotStarted from error
        try:
            printed, complained = _outputs(process, self._end)
        except TimeoutError as error:
            raise GitTooSlow(self._where, arguments[0], self._seconds) from error
        finally:
            _end_group(process)
        return printed, complained, process.returncode != 0


def _outputs(process: subprocess.Popen[bytes], end: float) -> tuple[str, str]:
    """Return what git writes, and wait for its end. Raise TimeoutError where it has not ended by then.

    Of its complaints only the beginning and the end are kept: the text of an error is the server's, of any length.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    printed, complained = bytearray(), bytearray()
    with selectors.DefaultSelector() as ready:
        for pipe, kept in ((process.stdout, printed), (process.stderr, complained)):
            ready.register(pipe, selectors.EVENT_READ, kept)
        while ready.get_map():
            found = ready.select(max(0.0, end - time.monotonic()))
            if not found:
                raise TimeoutError
            for key, _ in found:
                part = os.read(key.fd, 1 << 16)
                key.data.extend(part)
                if not part:
                    ready.unregister(key.fileobj)
            if len(complained) > 4 * MOST_COMPLAINTS:
                del complained[MOST_COMPLAINTS:-MOST_COMPLAINTS]
    try:
        process.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    return printed.decode(errors="replace").strip(), complained.decode(errors="replace").strip()


def checkout(url: str, branch: str, commit: str | None, into: Path, token: str | None = None) -> str:
    """Check out `commit` (None: the branch's head) of the repository at `url` into `into`; return the commit.

    `into` is an empty folder. `branch` may name a tag, or be a commit if the server allows that. A commit that is
    not on it is refused: servers give away commits of forks by their number. git gets the token as an HTTP header
    from its environment: it is never in the URL, the process list, a file or a log. Raises GitError.
    """
    _check_address(url)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="git-settings-") as settings:
        git = _Git(into, _environment(Path(settings)), url, token)
        git("init", "--quiet", ".")
        for depth in DEPTHS:
            _fetch(git, url, branch, f"--depth={depth}")
            if commit is None or commit in git("rev-list", "FETCH_HEAD").split():
                git("checkout", "--quiet", "--detach", commit or "FETCH_HEAD")
                return git("rev-parse", "HEAD")
    what = f"the branch {branch!r} has no such commit as was asked for"
    raise RevisionMissing(url, what, "Run dagfactory sync", commit)


def _fetch(git: _Git, url: str, branch: str, how_much: str) -> None:
    """Fetch the branch, otherwise the tag, of that name, first from a server that may have to be waited for.

    One redirect is followed, on the same server only.
    """
    origin = _origin(url)
    first_connections.reach(
        url if origin is None else f"{origin[1]}:{origin[2]}", lambda: _fetch_redirected(git, url, branch, how_much)
    )


def _fetch_redirected(git: _Git, url: str, branch: str, how_much: str) -> None:
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


def _fetch_from(git: _Git, url: str, branch: str, how_much: str) -> None:
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
    git = _Git(folder, _environment(None), str(folder))
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
    """Return the commit that is checked out in `folder`, None if it is not in git."""
    try:
        return _Git(folder, _environment(None), str(folder))("rev-parse", "--verify", "HEAD")
    except GitError:
        return None


def place_of(folder: Path) -> tuple[Path, str]:
    """Return the repository that a folder is in, and the folder's path inside it. Raises GitError."""
    git = _Git(folder, _environment(None), str(folder))
    return Path(git("rev-parse", "--show-toplevel")), git("rev-parse", "--show-prefix")


def files_at(folder: Path, revision: str, into: Path) -> None:
    """Copy the files that `folder` had at a revision of its history into the empty folder `into`.

    Copies nothing if the folder did not exist then. Raises GitError.
    """
    top, inside = place_of(folder)
    with tempfile.TemporaryDirectory(prefix="git-index-") as made:
        # An index of its own, and no `git archive`: that leaves out what the repository's own attributes say.
        git = _Git(top, _environment(None) | {"GIT_INDEX_FILE": str(Path(made, "index"))}, str(folder))
        commit = _contained(git, folder, revision)
        tree = inside.rstrip("/")
        if not tree or git("ls-tree", "-d", commit, "--", tree):
            git("read-tree", f"{commit}:{tree}")
            git("checkout-index", "--all", "--quiet", f"--prefix={into}/")


def _contained(git: _Git, folder: Path, revision: str) -> str:
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
    git = _Git(folder, _environment(None), str(folder))
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
        git = _Git(Path(folder), _environment(Path(settings)), url, token, seconds)
        git("init", "--quiet", "--bare", ".")
        # Enough history is all of it: without trees and files, where the server can leave those out.
        _fetch(git, url, branch, "--filter=tree:0")
        return git("rev-list", newest).split()


def _environment(settings: Path | None) -> dict[str, str]:
    environment = {
        key: value
        for key, value in os.environ.items()
        # Not GIT_DIR and its like, which a hook would pass on.
        if key in ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK")
        or key.startswith(("GIT_SSL", "GIT_SSH", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"))
    }
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "false", "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1"}
    environment["GIT_ALLOW_PROTOCOL"] = PROTOCOLS
    environment.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    if settings is not None:
        config = settings / "gitconfig"
        config.write_text(TRUSTING + "".join(f'[include]\n\tpath = "{path}"\n' for path in _own_settings()))
        environment["GIT_CONFIG_GLOBAL"] = str(config)
    return environment


def _http_settings(url: str, token: str | None) -> dict[str, str]:
    """Return the environment that lets git follow no redirect, and send the token only to the server of `url`.

    There is no askpass program, because the only folder that a job may write to may be mounted without the right to
    run programs.
    """
    parts = urlsplit(url)
    # For any address too: a user's settings may put another one in the place of this one.
    settings = {"http.followRedirects": "false"}
    if parts.scheme not in ("http", "https"):
        return _settings_of(settings)
    # For the whole address: a user's setting for a part of it would win over one for all addresses.
    settings[f"http.{url}.followRedirects"] = "false"
    if token:
        word = base64.b64encode(f"x-access-token:{token.strip()}".encode()).decode()
        server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
        settings[f"http.{server}.extraHeader"] = f"Authorization: Basic {word}"
    return _settings_of(settings)


def _settings_of(settings: dict[str, str]) -> dict[str, str]:
    """Return git's settings in the form of environment variables; they take precedence over the user's files."""
    numbered = enumerate(settings.items())
    pairs = [(f"GIT_CONFIG_KEY_{n}", key, f"GIT_CONFIG_VALUE_{n}", value) for n, (key, value) in numbered]
    return {"GIT_CONFIG_COUNT": str(len(pairs))} | {k: v for pair in pairs for k, v in (pair[:2], pair[2:])}


def _own_settings() -> list[Path]:
    """Return the user's own git settings files: ours hide them, and they may contain proxies or credential helpers."""
    home = os.environ.get("HOME")
    usual = [Path(home, ".config", "git", "config"), Path(home, ".gitconfig")] if home else []
    given = os.environ.get("GIT_CONFIG_GLOBAL")
    return [path for path in ([Path(given)] if given else usual) if path.is_file()]


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill git's whole process group: git alone would leave behind the program that talks to the server."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _failure(where: str, step: str, said: str) -> GitError:
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
