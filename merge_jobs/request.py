"""From what the command says to a job, and from a job, or its error, to a result: nothing foreseeable is a trace."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.model import Database, Ecosystem
from config_schema.result import MergeResult, ResultCode
from merge_jobs.database import Place, place_of
from merge_jobs.errors import CommandWrong
from merge_jobs.job import Job, Run
from merge_jobs.model_source import GitModel, model_in, synced_model
from merge_jobs.strategies import Wanted
from merge_jobs.stream import stream_of

log = logging.getLogger(__name__)

LONGEST_RUN_ID = 1000


@dataclass(frozen=True)
class StoreFlags:
    """Where the merge store is, as far as the command says; what it leaves out the model says."""

    host: str | None = None
    port: int | None = None
    database: str | None = None
    schema: str | None = None
    credential: str | None = None


@dataclass(frozen=True)
class Request:
    """One `merge-job merge`."""

    platform: str
    store: str
    run_id: str
    dataset: str | None = None
    datasets: tuple[str, ...] = ()
    model: Path | None = None
    git: GitModel | None = None
    merge_store: StoreFlags = StoreFlags()
    source_credential: str | None = None
    strategy: Wanted = Wanted.AUTO
    time_slice_seconds: float = 0
    max_delete_fraction: float = 0.5
    lock_wait: float = 0


def perform(request: Request) -> MergeResult:
    """Do what is asked; whatever goes wrong is a result with ERROR, and with what was committed before it."""
    began = time.monotonic()
    stream_key = names.stream_key(request.store, request.dataset)
    so_far = MergeResult(ResultCode.ERROR, request.run_id, request.platform, stream_key)
    run: Run | None = None
    try:
        run = Run(job_of(request))
        return run.perform()
    except StreamFactoryError as error:
        log.error("%s", error)
        text, retryable = str(error), error.retryable
    except Exception as error:
        # Frames only: the text of an error may hold a row's values, or a database's DETAIL.
        sys.stderr.writelines(["Traceback (most recent call last):\n", *traceback.format_tb(error.__traceback__)])
        text, retryable = f"merge-job: unforeseen {type(error).__name__}. See the frames in the job's stderr", True
        log.error("%s", text)
    seconds = round(time.monotonic() - began, 3)
    so_far = so_far if run is None else run.so_far
    return replace(so_far, code=ResultCode.ERROR, seconds=seconds, error=text, retryable=retryable)


def job_of(request: Request) -> Job:
    """The job that is asked for. Raises StreamFactoryError if it does not exist, or lacks what it needs."""
    if not (request.run_id.isprintable() and 0 < len(request.run_id) <= LONGEST_RUN_ID):
        what = f"a run id has 1 to {LONGEST_RUN_ID} printable characters"
        raise CommandWrong("--run-id", what, "Give one that names this run")
    if not 0 <= request.max_delete_fraction <= 1:
        raise CommandWrong("--max-delete-fraction", f"{request.max_delete_fraction:g} is no part", "Give 0 to 1")
    ecosystem, commit = _model(request)
    stream = stream_of(ecosystem, request.platform, request.store, request.dataset, request.datasets)
    return Job(
        stream=stream,
        source=place_of(stream.store.source, request.source_credential),
        store=_store_place(request.merge_store, stream.platform.merge_store),
        run_id=request.run_id,
        model_commit=commit,
        strategy=request.strategy,
        time_slice_seconds=request.time_slice_seconds,
        max_delete_fraction=request.max_delete_fraction,
        lock_wait=request.lock_wait,
    )


def _model(request: Request) -> tuple[Ecosystem, str | None]:
    if (request.model is None) == (request.git is None):
        raise CommandWrong("merge-job merge", "a model is wanted from one place", "Give --model or --git-repo-url")
    if request.git is None:
        assert request.model is not None
        return model_in(request.model), None
    flags = request.merge_store
    if flags.host is None or flags.database is None or flags.credential is None:
        raise CommandWrong(
            "--git-repo-url",
            "the commit to use is recorded in the merge store, and the command does not say where that is",
            "Give --postgres-host, --postgres-database and --postgres-credential",
        )
    store = _store_place(flags, Database(flags.host, flags.database, flags.credential))
    return synced_model(request.git, store, request.platform)


def _store_place(flags: StoreFlags, modelled: Database) -> Place:
    """The flags win: they come from the synced row."""
    told = {
        key: value
        for key, value in (
            ("host", flags.host),
            ("port", flags.port),
            ("database", flags.database),
            ("schema", flags.schema),
            ("credential", flags.credential),
        )
        if value is not None
    }
    return place_of(replace(modelled, **told), None)  # type: ignore[arg-type]  # each key with its field's type
