"""`merge-job`: merge a stream, look after its batches, or change a producer's data on purpose."""

from __future__ import annotations

import typer

from merge_jobs.cli.archive import archive
from merge_jobs.cli.describe import describe
from merge_jobs.cli.merge import merge
from merge_jobs.cli.reset import reset
from merge_jobs.cli.sql import sql
from merge_jobs.cli.status import status
from merge_jobs.cli.tables import tables
from merge_jobs.cli.trust import trust
from merge_jobs.cli.views import views
from merge_jobs.process.signal_mask import let_signals_in
from merge_jobs.simulator import simulate

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(merge)
app.command()(reset)
app.command()(status)
app.command()(sql)
app.command()(trust)
app.command()(tables)
app.command()(archive)
app.command()(describe)
app.command()(simulate)
app.add_typer(views, name="views")


@app.callback()
def _describe(context: typer.Context) -> None:
    """Copies a producer's tables, merges them, and says in its last lines what it did."""
    if context.invoked_subcommand != merge.__name__:  # which lets them in when it can say that they ended it
        let_signals_in()
