"""Runs a command and writes its seconds, peak memory and exit code as JSON: `python measure.py FILE COMMAND...`.

A process of its own, with next to nothing imported: on Linux a child's peak memory is never less than its parent's.
"""

import json
import os
import sys
import time


def main(report: str, *command: str) -> None:
    began = time.monotonic()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - began
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    measured = {
        "seconds": seconds,
        "rss_mb": kilobytes * 1024 / 1e6,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "exit_code": os.waitstatus_to_exitcode(status),
    }
    with open(report, "w") as file:
        json.dump(measured, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
