"""The process that a model's code runs in, started by closed_process.py: `closed_child.py PRODUCT FOLDER`.

It has no environment. Before it runs the code it gives up, as far as the system lets it: the view of other processes
and of the network (namespaces of its own), root's user and rights, and the means to start processes, to write files and
to use much memory or time. Then it writes one JSON document to standard output: `{"ecosystem": ...}` or
`{"failed": "..."}`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

NOBODY = 65534
MEMORY_BYTES = 1 << 30
CPU_SECONDS = 60
OPEN_FILES = 64
SHOWN_CHARACTERS = 600

# <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>, <linux/capability.h>
NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NETWORK = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
PRIVATE_AND_BELOW = 0x4000 | 0x40000
DEATH_SIGNAL, SET_DUMPABLE, NO_NEW_PRIVILEGES = 1, 4, 38
CAPABILITY_VERSION = 0x20080522


def main(product: str, folder: str) -> int:
    """Evaluate `eco.py` in `folder`; `product` is the folder that config_schema is imported from."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the model prints is no answer
    sys.path.insert(0, product)
    sys.dont_write_bytecode = True
    with contextlib.suppress(AttributeError, OSError):  # no Linux: limits and the empty environment are what there is
        _hide_other_processes(answer.fileno())
    _leave_root()
    _limit()
    json.dump(_evaluated(Path(folder)), answer)
    answer.close()
    return 0


def _hide_other_processes(answer: int) -> None:
    """Go on as the first process of namespaces of its own, where the system allows them.

    This process stays outside, does not run the code, and ends the inner one when it is asked to end.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    own = NEW_MOUNTS | NEW_IPC | NEW_PIDS | NEW_NETWORK | (0 if os.geteuid() == 0 else NEW_USER)
    if libc.unshare(own) != 0:
        return
    inner = os.fork()
    if inner:
        signal.signal(signal.SIGTERM, lambda *_: os.kill(inner, signal.SIGKILL))
        libc.prctl(DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
        os.close(answer)
        _, status = os.waitpid(inner, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)  # leaves buffers alone: they are the inner process's
    libc.mount(b"none", b"/", None, PRIVATE_AND_BELOW, None)
    libc.mount(b"proc", b"/proc", b"proc", 0, None)


def _leave_root() -> None:
    """Become another user where this is root, and give up the rights to regain anything."""
    places = {entry: os.open(entry, os.O_RDONLY | os.O_DIRECTORY) for entry in sys.path if os.path.isdir(entry)}
    # These are needed from here on, and may be where another user cannot read.
    import config_schema.load.documents
    import config_schema.model

    assert config_schema.load.documents
    assert config_schema.model
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
        libc.capset(header, (ctypes.c_uint32 * 6)())
        libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        libc.prctl(SET_DUMPABLE, 1, 0, 0, 0)  # its own /proc/self/fd
    for place, descriptor in places.items():
        if os.access(place, os.R_OK | os.X_OK):
            os.close(descriptor)
        else:
            _import_by_descriptor(place, f"/proc/self/fd/{descriptor}")


def _import_by_descriptor(place: str, opened: str) -> None:
    """Let modules be imported from a folder that was opened as root: Python may stand in root's home folder."""
    sys.path[:] = [opened if entry == place else entry for entry in sys.path]
    for module in list(sys.modules.values()):
        found = getattr(module, "__path__", None)
        if isinstance(module, ModuleType) and isinstance(found, list):
            found[:] = [opened + entry[len(place) :] if entry.startswith(f"{place}/") else entry for entry in found]
    sys.path_importer_cache.clear()


def _limit() -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_NPROC: 0,
    }
    for kind, most in limits.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def _evaluated(folder: Path) -> dict[str, Any]:
    import runpy

    from config_schema.load.documents import plain
    from config_schema.model import Ecosystem

    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        make = runpy.run_path("eco.py").get("createEcosystem")
        if make is None:
            return {"failed": "there is no function createEcosystem()"}
        made = make()
        if not isinstance(made, Ecosystem):
            return {"failed": f"createEcosystem() gave a {type(made).__name__}, not an Ecosystem"}
        return {"ecosystem": plain(made)}
    except MemoryError:
        return {"failed": f"it needs more than {MEMORY_BYTES >> 20} MB of memory"}
    except BaseException as error:
        text = str(error).strip().splitlines() or [""]
        return {"failed": f"{type(error).__name__}: {text[-1][:SHOWN_CHARACTERS]}"}


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:3]))
