"""What every benchmark does around its measuring: a server of its own, words on the way, files at the end."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from airflow_plugin.demo.postgres import EmbeddedPostgres


def console() -> Console:
    """Wide enough for the tables where nobody looks on."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def talk(screen: Console) -> Callable[[str], None]:
    """A function that says what goes on, with the seconds since now."""
    began = time.monotonic()

    def say(text: str) -> None:
        screen.print(f"[dim]{time.monotonic() - began:7.1f} s[/dim]  {text}", markup=True, soft_wrap=True)

    return say


@contextmanager
def server(settings: dict[str, str], directory: Path | None, name: str) -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """A PostgreSQL and the temporary folder that it is in."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server would go on
    # Not a private folder: as root the server runs as another user.
    with tempfile.TemporaryDirectory(prefix=f"{name}-bench-", dir=directory) as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "server", options=settings) as running:
            yield running, Path(folder)


def write(path: Path, text: str) -> None:
    """Write the file, and its folder where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
