"""Where `merge-job` begins. Signals wait from here on: loading the rest takes a third of a second on a busy machine."""

from __future__ import annotations

from merge_jobs.waiting_signals import let_signals_wait


def main() -> None:
    let_signals_wait()
    from merge_jobs.commands.app import app

    app(prog_name="merge-job")
