"""Running the git program: it never asks a person, ends in time, and gives the token to one server only."""

from __future__ import annotations

import base64
import os
import re
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from config_schema.load.git_errors import GitNotStarted, GitTooSlow, git_failed

TIME_LIMIT_SECONDS = 120.0  # for all of one checkout
MOST_COMPLAINTS = 1 << 16  # bytes of git's standard error that are kept from its beginning, and from its end
PROTOCOLS = "file:http:https:ssh"  # none that runs a program of the address's choice, whatever the user's settings say
LOCATION = re.compile(r"Recv header: location: (\S+)", re.IGNORECASE)
FETCHED_FIRST = "/info/refs"  # what git asks a server for first, below the repository's address


# A local repository may belong to another user than the one in the container. A file, because git does not hand
# settings in the environment on to the process that serves a local path.
TRUSTING = "[safe]\n\tdirectory = *\n"


class Git:
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
            raise git_failed(self._where, arguments[0], complained)
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


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill git's whole process group: git alone would leave behind the program that talks to the server."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def git_environment(settings: Path | None) -> dict[str, str]:
    """Return the environment for git: what it needs of ours, and nothing that lets it ask or run other programs.

    `settings` is an empty folder for a file of settings that trusts every local repository, None for the user's own.
    """
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
