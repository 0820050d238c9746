"""The tasks of a platform's operations DAG: check the request in the run's conf, ask a person, then perform it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from airflow_plugin.airflow_versions import AirflowFailException, DagRunTriggerException
from airflow_plugin.jobs.merge_job import PodPlace
from airflow_plugin.jobs.operations import (
    ALLOW_DELETES,
    BY,
    REASON,
    Action,
    Operation,
    operation,
    run_id_of_stream,
)
from airflow_plugin.jobs.platform_job import DAGFACTORY, MERGE_JOB, PlatformJob
from airflow_plugin.operators.kept_failure import failure_kept
from airflow_plugin.operators.platform_operator import OfPlatform, raise_as_airflow
from airflow_plugin.operators.platform_task import PlatformTask
from airflow_plugin.operators.triggered_run import trigger_at_end
from config_schema import names
from config_schema.errors import ProblemsFound, StreamFactoryError

if TYPE_CHECKING:
    from airflow.sdk import Context

# Which status a stream must have, for actions that its row decides about.
STATUSES_FOR = {
    **{action: ("active",) for action in Action if action.starts_a_run},
    Action.CHECK_SOURCE: ("active", "paused"),
    Action.SHOW_CHANGES: ("active", "paused"),
    Action.PURGE: ("retired",),
}
# The options with which each job of a platform finds its merge store.
OF_MERGE_STORE = ("--platform=", "--postgres-", "--least-tls=", "--connect-wait=")
CHECK_REQUEST, ASK_A_PERSON, PERFORM = "check_request", "ask_a_person", "perform"
BY_ITSELF = Operation(Action.RECONCILE_VIEWS, by="a merge that changed what views are made of")


class CheckRequest(OfPlatform):
    """Fails if the conf names an action or a stream that does not exist; otherwise logs the request."""

    ui_color = "#fff6d8"

    def execute(self, context: Context) -> None:
        """Check what the run's conf asks for."""
        with failure_kept(context):
            asked = requested_operation(context)
            with raise_as_airflow(self.platform):
                self._check_stream(asked)
        self.log.info("%s: %s", self.platform, asked)

    def _check_stream(self, asked: Operation) -> None:
        # Here, so that a parse does not load it.
        from airflow_plugin.rows.reading import read_rows
        from airflow_plugin.settings import platform_settings

        if asked.stream_key is None:
            return
        rows = read_rows(platform_settings(self.platform), [asked.stream_key])
        table = names.stream_table(names.platform_name(self.platform))
        if not rows:
            raise StreamMissing(table, asked.stream_key)
        wanted = STATUSES_FOR.get(asked.action, (rows[0].status,))
        if rows[0].status not in wanted:
            error = StreamNotRetired if asked.action is Action.PURGE else StreamNotActive
            raise error(table, asked.stream_key, rows[0].status)


class Perform(PlatformTask):
    """Performs the request with a job that records who made it. `job` has the options that all requests share."""

    def execute(self, context: Context) -> None:
        """Do what the run's conf asks for, then start the stream's run, where one is to follow."""
        asked = approved_by_person(requested_operation(context), context)
        if asked.action is Action.CHECK_SOURCE:
            with failure_kept(context), raise_as_airflow(str(self.job)):
                job, self.place = source_job(str(asked.stream_key), self.job)
            self.run_job(job, context)
        elif asked.action is not Action.ALLOW_DELETES:
            self.run_job(job_for(asked, self.job), context)
        if asked.action.starts_a_run:
            raise _run_of_stream(self.job.platform_name, asked, context["run_id"])


def approved_by_person(asked: Operation, context: Context) -> Operation:
    """Return the operation with who approved it and why; unchanged if it needs no approval."""
    if asked.action is not Action.ASK_DELETE:
        return asked
    answer = context["ti"].xcom_pull(task_ids=ASK_A_PERSON)
    if not isinstance(answer, dict) or not answer.get(BY):
        raise AirflowFailException(f"{ASK_A_PERSON} left no answer in this run: clear it, so that it asks again")
    return replace(asked, by=answer[BY], reason=answer.get(REASON))


def requested_operation(context: Context) -> Operation:
    """Return the operation of a run. Raises AirflowFailException with every problem of its conf."""
    run = context["dag_run"]
    if run.run_type == "asset_triggered":
        return BY_ITSELF
    try:
        return operation(run.conf or {})
    except ProblemsFound as error:
        raise AirflowFailException("; ".join(str(problem) for problem in error.problems)) from None


def job_for(asked: Operation, job: PlatformJob) -> PlatformJob:
    """Return the job that performs an operation."""
    if asked.action is Action.PURGE:
        return replace(job, program=DAGFACTORY, arguments=_purge_arguments(asked, job))
    return replace(job, arguments=(*_command(asked), *job.arguments))


def source_job(key: str, job: PlatformJob) -> tuple[PlatformJob, PodPlace | None]:
    """Return the job that looks at a stream's source, and its pod: where the stream's merge runs, with its secrets.

    Raises ProblemsFound for a row that the settings do not admit, and what else reading it raises.
    """
    from airflow_plugin.rows.evaluation import plan_of, row_place
    from airflow_plugin.rows.last_good import Row
    from airflow_plugin.rows.reading import read_rows
    from airflow_plugin.settings import platform_settings

    settings, where = platform_settings(job.platform), row_place(job.platform_name, key)
    rows = read_rows(settings, [key])
    if not rows:
        raise StreamMissing(names.stream_table(job.platform_name), key)
    plan = plan_of(key, Row(rows[0].status, rows[0].config_json), settings, where)
    arguments = tuple(plan.job.check_source_arguments())
    return replace(job, program=MERGE_JOB, arguments=arguments, secrets=plan.job.secrets), plan.pod


def _command(asked: Operation) -> list[str]:
    store, _, dataset = (asked.stream_key or "").partition("#")
    of_stream = [f"--store={store}", f"--by={asked.by}", *([f"--reason={asked.reason}"] if asked.reason else [])]
    match asked.action:
        case Action.RESET_BATCH:
            return ["reset", *of_stream, *_dataset(dataset)]
        case Action.TRUST:
            return ["trust", *of_stream, *_dataset(asked.dataset or dataset)]
        case Action.APPROVE_DELETE | Action.ASK_DELETE:
            seen = {"--batch": asked.batch, "--of": asked.dataset, "--rows": asked.rows}
            options = [f"{name}={value}" for name, value in seen.items() if value is not None]
            return ["approve-delete", *of_stream, *_dataset(dataset), *options]
        case Action.SHOW_CHANGES:
            keys = [f"--sample={asked.keys}"] if asked.keys else []
            return ["changes", *of_stream, *_dataset(dataset), f"--batch={asked.batch}", *keys, "--keep"]
        case Action.RECONCILE_VIEWS:
            return ["views", "reconcile"]
        case Action.ALLOW_DELETES | Action.CHECK_SOURCE | Action.PURGE:
            raise ValueError(f"{asked.action.value} is no command of merge-job for the platform")
    assert_never(asked.action)


def _purge_arguments(asked: Operation, job: PlatformJob) -> tuple[str, ...]:
    reason = [f"--reason={asked.reason}"] if asked.reason else []
    store = [one for one in job.arguments if one.startswith(OF_MERGE_STORE)]
    # Of many, one that cannot be purged by now stops no other.
    go_on, keys = ([], [str(asked.stream_key)]) if asked.stream_keys is None else (["--go-on"], asked.stream_keys)
    return ("streams", "purge", "--yes", f"--by={asked.by}", *reason, *go_on, *store, "--", *keys)


def _dataset(name: str) -> list[str]:
    return [f"--dataset={name}"] if name else []


def _run_of_stream(platform_name: str, asked: Operation, run_id: str) -> DagRunTriggerException:
    """Return a run of the stream's own DAG, so that the tasks after a merge follow this one too."""
    dag_id = names.dag_id(platform_name, str(asked.stream_key))
    reason = {REASON: asked.reason} if asked.reason else {}
    # What was approved is in the merge store, for exactly the rows that were refused.
    conf = {ALLOW_DELETES: True, BY: asked.by} | reason if asked.action is Action.ALLOW_DELETES else {}
    return trigger_at_end(dag_id, run_id_of_stream(asked.action, run_id), conf)


class StreamMissing(StreamFactoryError):
    """An operation is requested for a stream that has no row.

    Give the stream_key of a row: dagfactory streams list shows them.
    """

    code = "DF2401"

    def __init__(self, table: str, stream_key: str) -> None:
        self.stream_key = stream_key
        super().__init__(table, f"there is no stream {stream_key!r}", "Give the stream_key of a row")


class StreamNotRetired(StreamFactoryError):
    """A purge is requested for a stream that is not retired.

    Retire it first, and check that nobody misses it.
    """

    code = "DF2403"

    def __init__(self, table: str, stream_key: str, status: str) -> None:
        self.stream_key, self.status = stream_key, status
        super().__init__(table, f"stream {stream_key!r} is {status}, not retired", "Retire it first")


class StreamNotActive(StreamFactoryError):
    """A run is requested for a stream that is paused or retired.

    Set it to active first: dagfactory streams resume.
    """

    code = "DF2402"

    def __init__(self, table: str, stream_key: str, status: str) -> None:
        self.stream_key, self.status = stream_key, status
        super().__init__(table, f"stream {stream_key!r} is {status}, so it does not run", "Set it to active first")
