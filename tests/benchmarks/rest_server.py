"""`python -m tests.benchmarks.rest_server RECORDS`: an API whose pages are made beforehand; it ends with its input."""

from __future__ import annotations

import json
import random
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PER_PAGE = 1000
CITIES = ("Bern", "Genève", "Zürich", "Lugano", "Chur")


def records(number: int) -> list[dict[str, Any]]:
    """Records with 7 keys, one of them an object."""
    draw = random.Random(1)
    return [
        {
            "id": i,
            "name": f"customer {draw.random():.9f}",
            "address": {"city": draw.choice(CITIES)},
            "amount": draw.randrange(10**7) / 100,
            "born": f"{draw.randrange(1940, 2020)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}",
            "changed": f"2026-01-{draw.randrange(1, 29):02}T12:34:{draw.randrange(60):02}Z",
            "active": draw.random() < 0.5,
        }
        for i in range(number)
    ]


def main() -> None:
    """Say the port, and answer until the input ends."""
    every = records(int(sys.argv[1]))
    pages = [every[start : start + PER_PAGE] for start in range(0, len(every), PER_PAGE)]
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page = int(parse_qs(urlsplit(self.path).query).get("page", ["0"])[0])
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(bodies[page])))
            self.end_headers()
            self.wfile.write(bodies[page])

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    port = server.server_address[1]
    for number, page in enumerate(pages):
        following = f"http://127.0.0.1:{port}/v1/customers?page={number + 1}" if number + 1 < len(pages) else None
        said = {"count": len(page), "results": page, "next_url": following}
        bodies.append(json.dumps(said, ensure_ascii=False).encode())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
