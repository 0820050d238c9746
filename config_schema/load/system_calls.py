"""A filter of system calls: what a process needs to reach others, the network or the file system is refused to it.

It holds in every container, with or without namespaces and Landlock: <linux/seccomp.h>, <linux/filter.h>. A refused
call fails as one without the right to it (EPERM).
"""

from __future__ import annotations

import ctypes
import errno
import os

SET_SECCOMP, FILTER = 22, 2  # <linux/prctl.h>

# <linux/audit.h>; the column of a machine in the tables below.
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

# Numbers by machine; None where the machine has no such call.
CONNECTIONS = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "io_uring_setup": (425, 425),
}
PROCESSES = {
    "fork": (57, None),
    "vfork": (58, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    "execve": (59, 221),
    "execveat": (322, 281),
}
OTHER_PROCESSES = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "prlimit64": (302, 261),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
}
FILES = {
    "creat": (85, None),
    "openat2": (437, 437),  # its flags stand in memory, where a filter cannot look
    "open_by_handle_at": (304, 265),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "fallocate": (285, 47),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
}
KERNEL = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "fsopen": (430, 430),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
}
REFUSED = CONNECTIONS | PROCESSES | OTHER_PROCESSES | FILES | KERNEL
# Refused where their flags, the argument of that position, ask for more than reading.
OPENING = {"open": ((2, None), 1), "openat": ((257, 56), 2)}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
OTHER_CONVENTION = 0x40000000  # calls of x86's x32 have numbers from here

# A filter's instructions, what it says of a call, and where it finds what in <linux/seccomp.h>'s seccomp_data.
LOAD, IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT, SAY = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
NUMBER_AT, MACHINE_AT, ARGUMENTS_AT, ARGUMENT_BYTES = 0, 4, 16, 8


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("skipped_if_true", ctypes.c_uint8),
        ("skipped_if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def refuse_system_calls() -> bool:
    """Refuse this process all of REFUSED for good. Return False where the machine or the system has no such filter.

    The process must have given up new privileges (PR_SET_NO_NEW_PRIVS), or be root.
    """
    machine = MACHINES.get(os.uname().machine)
    if machine is None:
        return False
    written = _program(*machine)
    program = _Program(len(written), (_Instruction * len(written))(*written))
    return bool(ctypes.CDLL(None).prctl(SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0) == 0)


def _program(column: int, machine: int) -> list[_Instruction]:
    refused = [numbers[column] for numbers in REFUSED.values() if numbers[column] is not None]
    opening = [(numbers[column], flags) for numbers, flags in OPENING.values() if numbers[column] is not None]
    rest = 4 * len(opening)  # instructions between the comparisons of numbers and the two last ones
    found = [
        _Instruction(LOAD, 0, 0, MACHINE_AT),
        _Instruction(IF_EQUAL, 1, 0, machine),
        _Instruction(SAY, 0, 0, KILL),
        _Instruction(LOAD, 0, 0, NUMBER_AT),
        _Instruction(IF_AT_LEAST, len(refused) + rest + 1, 0, OTHER_CONVENTION),
    ]
    for left, number in zip(range(len(refused), 0, -1), refused, strict=True):
        found.append(_Instruction(IF_EQUAL, left + rest, 0, number))
    for left, (number, flags) in zip(range(len(opening) - 1, -1, -1), opening, strict=True):
        found += [
            _Instruction(IF_EQUAL, 0, 3, number),
            _Instruction(LOAD, 0, 0, ARGUMENTS_AT + ARGUMENT_BYTES * flags),
            _Instruction(IF_ANY_BIT, 4 * left + 2, 0, WRITING),
            _Instruction(SAY, 0, 0, ALLOW),
        ]
    return [*found, _Instruction(SAY, 0, 0, ALLOW), _Instruction(SAY, 0, 0, REFUSE)]
