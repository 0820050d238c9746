"""The start of `merge-job`. Signals are blocked first: loading the rest takes a third of a second on a busy machine."""

from __future__ import annotations

import os
import sys

from config_schema.library_output import keep_libraries_from_stderr, no_texts_in_shared_logs
from merge_jobs.process.signal_mask import block_signals

CALLED_AS_VARIABLE = "DATASURFACE_CALLED_AS"  # set by dagfactory where one of its commands is one of these


def main() -> None:
    """Run the command; `merge` with plain options is read without typer, which takes long to import."""
    block_signals()
    keep_libraries_from_stderr()
    with no_texts_in_shared_logs(always=sys.argv[1:2] == ["merge"]):
        _run()


def _run() -> None:
    if sys.argv[1:2] == ["merge"]:
        from merge_jobs.cli.merge import merge
        from merge_jobs.cli.plain import plain_options

        options = plain_options(merge, sys.argv[2:], os.environ)
        if options is not None:
            merge(**options)

    from merge_jobs.process.log_lines import log_to_stderr

    log_to_stderr()
    if called_as := os.environ.pop(CALLED_AS_VARIABLE, None):
        from merge_jobs.cli.app import run_as

        run_as(called_as, sys.argv[1:])

    from merge_jobs.cli.app import app

    app(prog_name="merge-job")
