"""A filter of system calls: a process is refused those that reach other processes, the network or files.

It works in every container, with or without namespaces and Landlock: <linux/seccomp.h>, <linux/filter.h>. A refused
call fails like one without the right to it (EPERM).
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
    "shmat": (30, 196),  # those of others can be named by number
    "shmctl": (31, 195),
    "msgctl": (71, 187),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "semctl": (66, 191),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "mq_unlink": (241, 181),
    "kcmp": (312, 272),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "process_mrelease": (448, 448),
    "setpgid": (109, 154),  # whoever ends this process ends its group
    "setsid": (112, 157),
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
    "file_setattr": (469, 469),
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
    "syslog": (103, 116),
}
REFUSED = CONNECTIONS | PROCESSES | OTHER_PROCESSES | FILES | KERNEL
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Refused where the argument of that position has one of the bits: their flags ask for more than reading.
OPENING = {"open": ((2, None), 1), "openat": ((257, 56), 2)}
# Refused where their second argument is one of these: the system then sends signals to another process, as it does for
# a pipe that has something to be read. F_SETOWN, F_SETSIG, F_SETOWN_EX.
SIGNALLING = {"fcntl": ((72, 25), (8, 10, 15))}
# Refused unless their second argument is one of these: others change a file's attributes through what was opened to be
# read, and what they do depends on what is open. What Python needs: TCGETS, TIOCGWINSZ, FIONREAD, FIONCLEX, FIOCLEX.
ASKING = {"ioctl": ((16, 29), (0x5401, 0x5413, 0x541B, 0x5450, 0x5451))}
OTHER_CONVENTION = 0x40000000  # calls of x86's x32 have numbers from here

# A filter's instructions, what it says of a call, and where it finds what in <linux/seccomp.h>'s seccomp_data.
LOAD, IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT, SAY = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
TO_REFUSE = 255  # a jump to the last instruction, whose distance is put in at the end
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
    """Refuse this process all of REFUSED, permanently. Return False if the machine has no such filter.

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
    ways = [(IF_AT_LEAST, OTHER_CONVENTION), *((IF_EQUAL, number) for number in refused)]
    blocks = [_block(numbers[column], flags, [(IF_ANY_BIT, WRITING)]) for numbers, flags in OPENING.values()]
    blocks += [_block(numbers[column], 1, [(IF_EQUAL, of) for of in values]) for numbers, values in SIGNALLING.values()]
    blocks += [_block_unless(numbers[column], 1, values) for numbers, values in ASKING.values()]
    found = [
        _Instruction(LOAD, 0, 0, MACHINE_AT),
        _Instruction(IF_EQUAL, 1, 0, machine),
        _Instruction(SAY, 0, 0, KILL),
        _Instruction(LOAD, 0, 0, NUMBER_AT),
        *(_Instruction(code, TO_REFUSE, 0, value) for code, value in ways),
        *(instruction for block in blocks for instruction in block),
        _Instruction(SAY, 0, 0, ALLOW),
        _Instruction(SAY, 0, 0, REFUSE),
    ]
    for at, instruction in enumerate(found):
        if instruction.skipped_if_true == TO_REFUSE:
            instruction.skipped_if_true = len(found) - 2 - at
    return found


def _block(number: int | None, argument: int, ways: list[tuple[int, int]]) -> list[_Instruction]:
    """Return what refuses a call where its argument is one of these, and otherwise allows it; others go on after it."""
    if number is None:
        return []
    return [
        _Instruction(IF_EQUAL, 0, len(ways) + 2, number),
        _Instruction(LOAD, 0, 0, ARGUMENTS_AT + ARGUMENT_BYTES * argument),
        *(_Instruction(code, TO_REFUSE, 0, value) for code, value in ways),
        _Instruction(SAY, 0, 0, ALLOW),
    ]


def _block_unless(number: int | None, argument: int, values: tuple[int, ...]) -> list[_Instruction]:
    """Return what allows a call where its argument is one of these values, and otherwise refuses it."""
    if number is None:
        return []
    allowed = [
        _Instruction(IF_EQUAL, len(values) - place, 0, value)  # on to the last instruction of the block
        for place, value in enumerate(values)
    ]
    return [
        _Instruction(IF_EQUAL, 0, len(values) + 3, number),
        _Instruction(LOAD, 0, 0, ARGUMENTS_AT + ARGUMENT_BYTES * argument),
        *allowed,
        _Instruction(SAY, 0, 0, REFUSE),
        _Instruction(SAY, 0, 0, ALLOW),
    ]
