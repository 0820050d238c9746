"""A line of a job as the task's log shows it. No Airflow."""

from __future__ import annotations

from config_schema.printable import printable

GROUP_MARKERS = ("::group::", "::endgroup::")  # Airflow's pages fold away what is between


def as_logged(line: str) -> str:
    """Return a job's line in which data forges no other line, controls no terminal and folds no lines away."""
    shown = printable(line.rstrip("\r"))
    return f"| {shown}" if shown.startswith(GROUP_MARKERS) else shown
