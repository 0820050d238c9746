"""The folder that holds everything of one demo: a temporary one, or one that is kept for the next time."""

from __future__ import annotations

import contextlib
import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

from config_schema.errors import StreamFactoryError


@contextlib.contextmanager
def demo_folder(given: Path | None) -> Iterator[Path]:
    """Yield the folder, created if missing. Raises StreamFactoryError if another demo uses it."""
    if given is None:
        with tempfile.TemporaryDirectory(prefix="stream-factory-demo-", ignore_cleanup_errors=True) as made:
            Path(made).chmod(0o711)  # as root PostgreSQL runs as another user, who has to walk through
            yield Path(made)
        return
    where = f"--dir {given}"
    if any(character.isspace() for character in str(given.resolve())):
        raise StreamFactoryError(where, "a path with a space is no address of a model", "Name one without")
    try:
        given.mkdir(parents=True, exist_ok=True)
        lock = (given / "lock").open("w")
    except OSError as error:
        raise StreamFactoryError(where, f"it cannot be used ({error.strerror})", "Name a folder of yours") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StreamFactoryError(where, "another demo runs in it", "End that one, or name another") from error
        yield given.resolve()
