"""What a task says of why its job failed: the job's errors, or what its program has against the command line."""

from __future__ import annotations

import subprocess
import sys

from airflow_plugin.jobs.platform_job import LastWords


def words(lines: str) -> str:
    found = LastWords()
    for line in lines.splitlines():
        found.feed(line)
    return str(found)


def test_an_option_that_an_older_program_does_not_know_is_named():
    command = [sys.executable, "-m", "merge_jobs", "changes", "--keeep"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert words(done.stderr).startswith("No such option: --keeep")


def test_errors_count_more_than_what_stands_around_them():
    box = "\u256d\u2500 Error \u2500\u256e\n\u2502 in a box \u2502\n\u2570\u2500\u256f"
    assert words(f"error: first\n{box}\nerror: second\nthe end") == "first; second"
    assert words(f"{box}\nthe end") == "in a box"
    assert words("a line\nthe end") == "the end"
