"""Fetching a model from git: a commit of a branch into an empty folder, shallow, without ever asking a person."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from config_schema.errors import StreamFactoryError
from config_schema.load.folder import MODEL_FILES

TIME_LIMIT_SECONDS = 120
DEPTHS = (1, 100, 2**31 - 1)  # how far back a commit is looked for on its branch; the last one is git's for all
PROTOCOLS = "file:http:https:ssh"  # none that runs a program of the address's choice, whatever the user's settings say
TOKEN_VARIABLE = "STREAM_FACTORY_GIT_TOKEN"

# git runs this program for the user name and the password; the token stays in the environment.
ASKPASS = f"""#!{sys.executable}
import os, sys
print("x-access-token" if "sername" in sys.argv[1] else os.environ["{TOKEN_VARIABLE}"])
"""

# A local repository may belong to another user than the one in the container. A file, because git does not hand
# settings in the environment on to the process that serves a local path.
TRUSTING = "[safe]\n\tdirectory = *\n"


class GitError(StreamFactoryError):
    """git could not do it: no access, no such branch, a time limit; retryable where the network may be to blame."""


def checkout(url: str, branch: str, commit: str | None, into: Path, token: str | None = None) -> str:
    """Put `commit` (None: the branch's head) of the repository at `url` into the folder `into`; returns the commit.

    A commit that is not on the branch is refused: servers give away by its number what somebody pushed to a fork.
    The token goes through GIT_ASKPASS from the environment: never in the URL, the process list, .git/config or a log.
    Raises GitError.
    """
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="askpass-") as scripts:
        environment = _environment(Path(scripts), token)
        _git(into, environment, url, "init", "--quiet", ".")
        for depth in DEPTHS:
            limit = f"--depth={depth}"
            _git(into, environment, url, "fetch", "--quiet", limit, "--no-tags", "--", url, f"refs/heads/{branch}")
            fetched = _git(into, environment, url, "rev-list", "FETCH_HEAD").split()
            if commit is None or commit in fetched:
                _git(into, environment, url, "checkout", "--quiet", "--detach", commit or "FETCH_HEAD")
                return _git(into, environment, url, "rev-parse", "HEAD")
    raise GitError(url, f"the branch {branch!r} has no such commit as was asked for", "Run dagfactory sync")


def commit_of(folder: Path) -> str:
    """The commit that the model in `folder` stands at.

    Raises GitError if it is not in git, or if one of the model's files differs from that commit: jobs check out
    the commit, and what runs must be what was synced.
    """
    environment = _environment(None, None)
    commit = _git(folder, environment, str(folder), "rev-parse", "--verify", "HEAD")
    files = [name for name in MODEL_FILES if (folder / name).exists()]
    changed = _git(folder, environment, str(folder), "status", "--porcelain", "--", *files)
    if changed:
        names = ", ".join(line[2:].strip() for line in changed.splitlines())
        raise GitError(str(folder), f"{names}: there are changes that are not committed", "Commit them first")
    return commit


def _environment(scripts: Path | None, token: str | None) -> dict[str, str]:
    environment = {
        key: value
        for key, value in os.environ.items()
        # Not GIT_DIR and its like, which a hook would pass on.
        if key in ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK")
        or key.startswith(("GIT_SSL", "GIT_SSH", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"))
    }
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1"}
    environment["GIT_ALLOW_PROTOCOL"] = PROTOCOLS
    environment.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    if scripts is not None:
        config = scripts / "gitconfig"
        config.write_text(TRUSTING + "".join(f'[include]\n\tpath = "{path}"\n' for path in _own_settings()))
        environment["GIT_CONFIG_GLOBAL"] = str(config)
    if token and scripts is not None:
        askpass = scripts / "askpass"
        askpass.write_text(ASKPASS)
        askpass.chmod(0o700)
        environment |= {"GIT_ASKPASS": str(askpass), TOKEN_VARIABLE: token}
    else:
        environment["GIT_ASKPASS"] = "false"
    return environment


def _own_settings() -> list[Path]:
    """The user's settings for git, which ours stand in for: proxies, credential helpers, other addresses."""
    home = os.environ.get("HOME")
    usual = [Path(home, ".config", "git", "config"), Path(home, ".gitconfig")] if home else []
    given = os.environ.get("GIT_CONFIG_GLOBAL")
    return [path for path in ([Path(given)] if given else usual) if path.is_file()]


def _git(folder: Path, environment: dict[str, str], where: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise GitError("git", "the program, or the folder, is not there", "Install git; check the path") from error
    except subprocess.TimeoutExpired as error:
        what = f"git {arguments[0]} took longer than {TIME_LIMIT_SECONDS} s"
        raise GitError(where, what, "Check the network to the server", retryable=True) from error
    if done.returncode == 0:
        return done.stdout.strip()
    raise _failure(where, arguments[0], done.stderr.strip())


def _failure(where: str, step: str, said: str) -> GitError:
    lines = said.splitlines() or ["no message"]
    last = next((line for line in lines if line.startswith("fatal:")), lines[-1])
    if any(sign in said for sign in ("couldn't find remote ref", "not our ref", "not a tree", "unable to read")):
        return GitError(where, f"no such branch or commit ({last})", "Check branch and commit")
    if "Authentication failed" in said or "could not read Username" in said or "Permission denied" in said:
        return GitError(where, "no access", "Check the token in the git secret and its rights on the repository")
    if "not a git repository" in said or "does not appear to be a git repository" in said:
        return GitError(where, "this is no git repository", "Check the address; a model is kept in git")
    if "Needed a single revision" in said:
        return GitError(where, "the repository has no commit yet", "Commit the model first")
    network = any(word in said for word in ("Could not resolve", "timed out", "Connection", "early EOF", "HTTP 5"))
    return GitError(where, f"git {step} failed: {last}", "Check the address and the network", retryable=network)
