"""Where `merge-job` begins. Signals wait from here on: loading the rest takes a third of a second on a busy machine."""

from __future__ import annotations

import os
import sys

from merge_jobs.process.signal_mask import block_signals


def main() -> None:
    """Run the command; `merge` with plain options is read without typer, which takes long to import."""
    block_signals()
    if sys.argv[1:2] == ["merge"]:
        from merge_jobs.cli.merge import merge
        from merge_jobs.cli.plain import plain_options

        options = plain_options(merge, sys.argv[2:], os.environ)
        if options is not None:
            merge(**options)

    from merge_jobs.cli.app import app

    app(prog_name="merge-job")
