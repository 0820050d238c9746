"""Whether jobs read their rows of the model, or each clones the repository and reads all of it."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2.extensions import connection as Connection

from airflow_plugin.control.job_model import JobModelTable
from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.doctor.finding import Area, Finding
from airflow_plugin.settings import PlatformSettings
from config_schema.job_model import FORMAT, JobModelState
from config_schema.problem import Rule

JOB_MODEL_IS_READ = Rule("DF3691", "Jobs read their rows of the model that was synced, and not the whole model by git.")
JOB_MODEL_IS_OF_SYNC = Rule("DF3692", "The rows of the job model are as sync wrote them.")
STREAMS_ARE_MODELLED = Rule("DF3693", "Every stream that is not retired is in the model that was synced.")

SHORT = 12
SHOWN = 5  # streams by name
SYNC = "Run dagfactory sync where it can reach the branch that jobs read"
BY_GIT = "each job clones the repository and reads the whole model"


def job_model_findings(connection: Connection, settings: PlatformSettings) -> Iterator[Finding]:
    """Yield findings on the job model of a platform that has been synced."""
    area = Area("job model", settings.original_platform_name)
    session = ControlSession.of(connection, settings)
    commit, table = ModelState(session).commit(), JobModelTable(session)
    if commit is None:
        return  # reported as a platform without a model
    state = table.state()
    fault = _fault(state, commit, settings)
    if state is None or fault:
        yield area.warning(JOB_MODEL_IS_READ, f"{fault}: {BY_GIT}", SYNC)
    elif state.digest != table.digest():
        what = "its rows are not as sync wrote them, and jobs refuse those that were changed"
        todo = "Run dagfactory sync, which writes them again, and find out who wrote there"
        yield area.error(JOB_MODEL_IS_OF_SYNC, what, todo)
    else:
        yield from _of_streams(area, table, state)


def _fault(state: JobModelState | None, commit: str, settings: PlatformSettings) -> str:
    """Return why jobs do not read it; empty if they do."""
    if state is None:
        return "sync has not written it"
    if state.commit != commit:
        return f"it is of commit {state.commit[:SHORT]}, and streams run {commit[:SHORT]}"
    if state.format != FORMAT:
        return f"it has format {state.format}, and this program reads {FORMAT}"
    wanted = settings.git_repo_url, settings.git_repo_branch
    if None not in wanted and (state.repository, state.branch) != wanted:
        return f"it is of branch {state.branch} of {state.repository}, which the settings do not name"
    return ""


def _of_streams(area: Area, table: JobModelTable, state: JobModelState) -> Iterator[Finding]:
    lacking = table.streams_without()
    if not lacking:
        yield area.ok(f"jobs read their rows of the model, of commit {state.commit[:SHORT]}")
        return
    shown = ", ".join(lacking[:SHOWN]) + (f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else "")
    what = f"{len(lacking)} streams are not in the model that was synced: {shown}; {BY_GIT}"
    yield area.warning(STREAMS_ARE_MODELLED, what, "Bring them into the model and run dagfactory sync, or retire them")
