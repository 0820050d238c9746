"""The process that a model's code runs in, started by closed_process.py: `closed_child.py PRODUCT FOLDER ROOT`.

It has no environment. Before it runs the code it gives up, as far as the system lets it: the view of other processes,
of the network and of all files but Python's and the model's (namespaces of its own, and Landlock), root's user and
rights, the system calls that start processes, change files or reach others, and the means to use much memory or time.
Each of these holds where others are not to be had: containers mostly have no namespaces. Then it writes one JSON
document to standard output: `{"ecosystem": ...}` or `{"failed": "..."}`.
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
from typing import Any

NOBODY = 65534
MEMORY_BYTES = 1 << 30
CPU_SECONDS = 60
OPEN_FILES = 64
SHOWN_CHARACTERS = 600

SYSTEM = ("/usr", "/lib", "/lib64", "/bin")  # what a Python program may load, beside Python's own folders

# <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>, <linux/capability.h>
NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NETWORK = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
PRIVATE_AND_BELOW = 0x4000 | 0x40000
BIND_AND_BELOW = 0x1000 | 0x4000
MOUNT_SETATTR, HERE, ALL_BELOW, READ_ONLY_NO_SUID_NO_DEVICES = 442, -100, 0x8000, 0x1 | 0x2 | 0x4
DEATH_SIGNAL, NO_NEW_PRIVILEGES = 1, 38
CAPABILITY_VERSION = 0x20080522


def main(product: str, folder: str, root: str) -> int:
    """Evaluate `eco.py` in `folder`.

    `product` is the folder that config_schema is imported from, `root` an empty folder that may become the process's
    root.
    """
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the model prints is no answer
    sys.path.insert(0, product)
    sys.dont_write_bytecode = True
    seen = [*SYSTEM, sys.base_prefix, sys.prefix, f"{product}/config_schema", folder]
    with contextlib.suppress(AttributeError, OSError):  # no Linux: limits and the empty environment are what there is
        if _in_own_namespaces(answer.fileno()):
            _see_only(root, seen)
    _leave_root()
    _limit()
    _give_up_calls(seen)
    json.dump(_evaluated(Path(folder)), answer)
    answer.close()
    return 0


def _in_own_namespaces(answer: int) -> bool:
    """Go on as the first process of new namespaces; return False if the system allows none.

    This process stays outside, does not run the code, and ends the inner one when it is asked to end.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    own = NEW_MOUNTS | NEW_IPC | NEW_PIDS | NEW_NETWORK | (0 if user == 0 else NEW_USER)
    if libc.unshare(own) != 0:
        return False
    if user != 0:  # a user without a number in the namespace can make no folder there
        for file, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", file).write_text(line)
    inner = os.fork()
    if inner:

        def end(*_: object) -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(inner, signal.SIGKILL)

        signal.signal(signal.SIGTERM, end)
        libc.prctl(DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
        os.close(answer)
        _, status = os.waitpid(inner, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)  # leaves buffers alone: they are the inner process's
    return True


def _see_only(root: str, places: list[str]) -> None:
    """Make `root`, an empty folder, this process's root, with these folders in it, read-only. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)

    def checked(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), "mount")

    def mount(source: str, target: str, kind: str | None, flags: int) -> None:
        checked(libc.mount(source.encode(), target.encode(), kind and kind.encode(), flags, None))

    mount("none", "/", None, PRIVATE_AND_BELOW)
    mount("tmpfs", root, "tmpfs", 0)
    os.chmod(root, 0o755)
    seen: list[str] = []
    for place in sorted({os.path.realpath(place) for place in places if os.path.isdir(place)}):
        if place == "/" or any(place.startswith(f"{above}/") for above in seen):
            continue
        os.makedirs(root + place, 0o755)
        mount(place, root + place, None, BIND_AND_BELOW)
        seen.append(place)
    for place in places:
        if os.path.islink(place) and not os.path.lexists(root + place):
            os.symlink(os.readlink(place), root + place)
    os.mkdir(f"{root}/proc")
    mount("proc", f"{root}/proc", "proc", 0)
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY_NO_SUID_NO_DEVICES, 0, 0, 0)
    checked(libc.syscall(MOUNT_SETATTR, HERE, root.encode(), ALL_BELOW, attributes, ctypes.sizeof(attributes)))
    os.chroot(root)
    os.chdir("/")


def _leave_root() -> None:
    """Become another user if this is root, and give up the right to regain anything."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
        libc.capset(header, (ctypes.c_uint32 * 6)())
        libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)


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


def _give_up_calls(seen: list[str]) -> None:
    """Give up other files and system calls, with what Linux offers to every process, in containers too."""
    import config_schema.load.landlock as landlock  # the folder above config_schema cannot be searched afterwards
    import config_schema.load.system_calls as system_calls

    with contextlib.suppress(AttributeError, OSError):
        landlock.read_only_below(sorted({os.path.realpath(place) for place in seen if os.path.isdir(place)}))
    with contextlib.suppress(AttributeError, OSError):
        system_calls.refuse_system_calls()


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
    os._exit(main(*sys.argv[1:4]))
