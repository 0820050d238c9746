"""From the command line to a job, from a job or its error to a result, and the result in the log: no tracebacks."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg2

from config_schema import names
from config_schema.errors import StreamFactoryError, ValueWrong
from config_schema.printable import printable
from config_schema.result import MergeResult, ResultCode, result_lines, termination_message
from merge_jobs.database.connections import place_of
from merge_jobs.database_errors import database_failed
from merge_jobs.process import shutdown
from merge_jobs.process.signal_mask import start_without_signals
from merge_jobs.run.flags import (
    ModelFlags,
    StoreFlags,
    platform_store,
    store_place,
    stream_model_of,
)
from merge_jobs.run.job import Job, MergeOptions, Run
from merge_jobs.run.source_policy import (
    admits_private,
    admitted_source,
    check_credential,
    check_served,
    check_source_host,
    check_warehouse,
)
from merge_jobs.stores.postgres import run_results
from merge_jobs.stream import Tables, stream_of, tables_key, with_tables

log = logging.getLogger(__name__)

LONGEST_RUN_ID = 1000
MOST_CONNECTIONS = 16  # that load a table: as many as a row may say
LONGEST_ERROR = 10_000  # characters of a result's: a model may have any number of problems
KEEP_SECONDS = 2.0  # for the merge store to write a failure down
KEPT = "kept"
DEFAULT_TERMINATION_MESSAGE = "/dev/termination-log"


@dataclass(frozen=True)
class Request:
    """One `merge-job merge`."""

    platform: str
    store: str
    run_id: str
    model: ModelFlags
    merge_store: StoreFlags
    dataset: str | None = None
    datasets: tuple[str, ...] = ()
    source_credential: str | None = None
    source_hosts: tuple[str, ...] | None = None
    tables: Tables = Tables.OWN
    options: MergeOptions = field(default_factory=MergeOptions)


def perform(request: Request) -> MergeResult:
    """Perform the request; any error becomes a result with ERROR, with what was committed before it."""
    began = time.monotonic()
    stream_key = tables_key(request.store, request.dataset, request.tables)
    so_far = MergeResult(ResultCode.ERROR, request.run_id, request.platform, stream_key)
    run: Run | None = None
    try:
        with shutdown.raised_at_once():
            run = Run(job_of(request))
            return run.perform()
    except StreamFactoryError as error:
        log.error("%s", error)
        text, retryable = printable(str(error), LONGEST_ERROR), error.retryable
    except Exception as error:
        # Frames only: the text of an error may hold a row's values, or a database's DETAIL.
        sys.stderr.writelines(["Traceback (most recent call last):\n", *traceback.format_tb(error.__traceback__)])
        text, retryable = f"merge-job: unforeseen {type(error).__name__}. See the frames in the job's stderr", True
        log.error("%s", text)
    seconds = round(time.monotonic() - began, 3)
    so_far = so_far if run is None else run.so_far
    return replace(so_far, code=ResultCode.ERROR, seconds=seconds, error=text, retryable=retryable)


def keep_failure(request: Request, result: MergeResult) -> None:
    """Write the result of a failed run into the merge store, if that answers soon; others are there already.

    Raises nothing: the run's own error is the one that counts. Whoever asked the job to end waits for its last lines.
    """
    if result.code is not ResultCode.ERROR:
        return
    kept: list[str] = []
    writer = start_without_signals(_keep, "keep failure", request, result, kept)
    writer.join(KEEP_SECONDS)
    if kept != [KEPT]:
        said = next(iter(kept), "the merge store does not answer")
        log.warning("the failure of run %s stands in this log only: %s", request.run_id, said)


def _keep(request: Request, result: MergeResult, kept: list[str]) -> None:
    try:
        run_results.record_failure(platform_store(request.model, request.merge_store, request.platform), result)
        kept.append(KEPT)
    except psycopg2.Error as error:
        kept.append(str(database_failed(error, "merge store")))
    except StreamFactoryError as error:
        kept.append(str(error))
    except Exception as error:  # a signal may have ended the import of a module halfway
        kept.append(f"unforeseen {type(error).__name__}")


def job_of(request: Request) -> Job:
    """Return the job that is requested. Raises StreamFactoryError if it does not exist, or lacks something."""
    if not (request.run_id.isprintable() and 0 < len(request.run_id) <= LONGEST_RUN_ID):
        todo = f"Give 1 to {LONGEST_RUN_ID} printable characters that name this run"
        raise ValueWrong("--run-id", request.run_id[:LONGEST_RUN_ID], "is no run id", todo)
    if not 0 <= (fraction := request.options.max_delete_fraction) <= 1:
        raise ValueWrong("--max-delete-fraction", fraction, "is no fraction", "Give a number from 0 to 1")
    connections = request.options.load_connections
    if connections is not None and not 1 <= connections <= MOST_CONNECTIONS:
        reason = "is no number of connections"
        raise ValueWrong("--load-connections", connections, reason, f"Give a number from 1 to {MOST_CONNECTIONS}")
    model, commit = stream_model_of(request.model, request.merge_store, request.platform, _keys(request))
    stream = stream_of(model.ecosystem, request.platform, request.store, request.dataset, request.datasets)
    check_source_host(stream.store.source, request.source_hosts)
    source = admitted_source(stream.store.source, request.source_hosts)
    check_warehouse(stream.platform.lake, request.source_hosts)
    if request.model.git is not None:
        check_served(stream, model.served)
        check_credential(stream.store.source, request.source_credential)
    return Job(
        stream=with_tables(stream, request.tables, model.ecosystem),
        source=place_of(source, request.source_credential, admits_private=admits_private(source, request.source_hosts)),
        store=store_place(request.merge_store, stream.platform.merge_store),
        run_id=request.run_id,
        model_commit=commit,
        options=request.options,
    )


def _keys(request: Request) -> list[str]:
    """Return the keys that the stream may have; none for a trial, whose tables must not be another datastore's."""
    if request.tables is not Tables.OWN:
        return []
    if request.dataset is not None:
        return [names.stream_key(request.store, request.dataset)]
    alone = [names.stream_key(request.store, one) for one in request.datasets if len(request.datasets) == 1]
    return [names.stream_key(request.store), *alone]


def report(result: MergeResult, token: str) -> None:
    """Write the termination message if a container wants one, then the result's lines to stdout."""
    path = Path(os.environ.get(names.TERMINATION_MESSAGE_VARIABLE, DEFAULT_TERMINATION_MESSAGE))
    if path.exists() and os.access(path, os.W_OK):
        try:
            path.write_text(termination_message(result, token), "utf-8")
        except OSError as error:
            log.warning("the termination message could not be written: %s", error.strerror)
    sys.stdout.write("".join(f"{line}\n" for line in result_lines(result, token)))
    sys.stdout.flush()
