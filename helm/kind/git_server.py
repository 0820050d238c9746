"""Serve a git bundle as a repository over HTTP, for reading only: the model, inside a cluster of one's own machine."""

from __future__ import annotations

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

BUNDLE, FOLDER, PORT = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
FROM_HEADERS = {
    "CONTENT_TYPE": "Content-Type",
    "CONTENT_LENGTH": "Content-Length",
    "HTTP_CONTENT_ENCODING": "Content-Encoding",
    "GIT_PROTOCOL": "Git-Protocol",
}


class GitBackend(BaseHTTPRequestHandler):
    """Hands each request on to git's own program for HTTP."""

    def do_GET(self) -> None:
        """Answer a request by what `git http-backend` says."""
        address = urlsplit(self.path)
        environment = {name: self.headers.get(header, "") for name, header in FROM_HEADERS.items()}
        environment |= {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(FOLDER),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": address.path,
            "QUERY_STRING": address.query,
        }
        given = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        done = subprocess.run(["git", "http-backend"], env=environment, input=given, capture_output=True, check=False)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if line)
        self.send_response(int(headers.pop("Status", "200").split()[0]) if headers else 500)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


subprocess.run(["git", "clone", "--quiet", "--mirror", str(BUNDLE), str(FOLDER / "model.git")], check=True)
ThreadingHTTPServer(("", PORT), GitBackend).serve_forever()
