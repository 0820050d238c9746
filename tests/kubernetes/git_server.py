"""A real git server over smart HTTP that demands a token: `git http-backend` behind a few lines of CGI."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

from tests.loopback_server import LoopbackServer

IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.org")


class GitServer:
    """Serves the bare repository `model.git` in a folder to who knows the token, as the password of any user."""

    def __init__(self, folder: Path, token: str, host: str = "127.0.0.1") -> None:
        self.token = token
        self.folder = folder
        self.refused = 0
        self.served = 0
        self.answers = threading.Event()  # else each request waits
        self.answers.set()
        self.redirect: str | None = None  # where each request is sent on to: an address without the repository
        self.seen: list[str] = []  # the Authorization header of each request, as it came
        self.status = 200  # else this one is answered to who knows the token
        self.old = False  # protocol 0: commits by name only
        self._host = host
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", "model.git")
        self._server = LoopbackServer((host, 0), type("Bound", (_Handler,), {"git": self}))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def repository(self) -> Path:
        return self.folder / "model.git"

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._server.server_address[1]}/model.git"

    def commit(self, files: dict[str, str], branch: str = "main") -> str:
        """Add a commit with just these files to the branch, by plumbing: a bare repository has no files. Returns it."""
        lines = []
        for name, text in files.items():
            blob = git(self.repository, "hash-object", "-w", "--stdin", given=text)
            lines.append(f"100644 blob {blob}\t{name}")
        tree = git(self.repository, "mktree", given="\n".join(lines))
        head = git(self.repository, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        parent = ("-p", head) if head else ()
        made = git(self.repository, *IDENTITY, "commit-tree", *parent, "-m", "model", tree)
        git(self.repository, "update-ref", f"refs/heads/{branch}", made)
        return made

    def read(self, name: str, branch: str = "main") -> str:
        return git(self.repository, "show", f"{branch}:{name}")

    def close(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    git: GitServer

    def handle_any(self) -> None:
        self.git.answers.wait(120)
        self.git.seen.append(self.headers.get("Authorization", ""))
        if self.git.redirect is not None and not self.path.startswith("/moved/"):
            self.send_response(301)
            self.send_header("Location", self.git.redirect + self.path)
            self.end_headers()
            return
        if not self._knows_the_token():
            self.git.refused += 1
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="model"')
            self.end_headers()
            return
        self.git.served += 1
        if self.git.status != 200:
            self.send_error(self.git.status)
            return
        length = int(self.headers.get("Content-Length") or 0)
        address = urlsplit(self.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.git.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": address.path.removeprefix("/moved"),
            "QUERY_STRING": address.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": "" if self.git.old else self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "someone",
        }
        given = self.rfile.read(length)
        done = subprocess.run(["git", "http-backend"], env=environment, input=given, capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = handle_any

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _knows_the_token(self) -> bool:
        kind, _, word = self.headers.get("Authorization", "").partition(" ")
        return kind == "Basic" and base64.b64decode(word).decode().partition(":")[2] == self.git.token


def git(folder: Path, *arguments: str, given: str | None = None) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, input=given, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()
