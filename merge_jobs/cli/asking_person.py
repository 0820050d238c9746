"""Who runs a command, for the history of a stream's row."""

from __future__ import annotations

import getpass
import os
import socket


def asking_person() -> str:
    """Return the user and the machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
