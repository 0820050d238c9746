"""Where the files of a server under test are."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")
ROOM = 4 << 30  # bytes; a server takes 300 MB, and some run side by side


@contextmanager
def server_folder() -> Iterator[Path]:
    """Make a folder for a server, in memory where there is room: a database is hundreds of new files."""
    # Not tmp_path: as root the server runs as another user, who cannot walk into pytest's folders.
    with tempfile.TemporaryDirectory(prefix="stream-factory-", dir=MEMORY if _has_room(MEMORY) else None) as made:
        Path(made).chmod(0o755)
        yield Path(made)


def _has_room(memory: Path) -> bool:
    """Say whether a server can be in this folder: its programs too, of which it may need a copy."""
    return (
        memory.is_dir()
        and not os.statvfs(memory).f_flag & os.ST_NOEXEC
        and min(shutil.disk_usage(memory).free, psutil.virtual_memory().available) > ROOM
    )
