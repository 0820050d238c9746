"""What an error of a producer's PostgreSQL means where a view, a function or a generated column raises it."""

from __future__ import annotations

from merge_jobs.errors import DatabaseFailed

COMPUTES = "Correct the view, the function or the generated column at the source, or the rows that it computes from"
# By SQLSTATE or its class: what to do about an error of a batch's read. None of these is worth a retry.
OF_VIEWS = {
    "22": COMPUTES,
    "25006": "A view calls a function that writes, which a batch's read-only transaction refuses: read another view",
    "38": COMPUTES,
    "39": COMPUTES,
    "42": "Grant the right to the job's user, or correct the view, which refers to what is not there",
    "42501": "Grant the job's user the right to read it, and all that a view's functions read",
    "55000": "Run REFRESH MATERIALIZED VIEW at the source, once: it was created WITH NO DATA",
    "P0": COMPUTES,
    "XX": "The server found damage, or failed: see its log, and have the table checked",
}


def of_view(error: DatabaseFailed, where: str) -> DatabaseFailed:
    """Return the error with the place `where` and the advice for a view; only an error not listed may be retryable."""
    state = error.sqlstate or ""
    todo = OF_VIEWS.get(state) or OF_VIEWS.get(state[:2])
    retryable = error.retryable and todo is None
    worded = DatabaseFailed(where, error.what, todo or error.todo, retryable=retryable, sqlstate=error.sqlstate)
    worded.said = error.said
    return worded
