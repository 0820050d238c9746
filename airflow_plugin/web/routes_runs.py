"""The runs of streams, and one of them: what it did, by which strategy and why, and where its log is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from airflow.configuration import conf
from airflow.utils.session import create_session
from fastapi import APIRouter, Path, Query

from airflow_plugin.control.batch_table import BatchTables, JobProgress
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.unforeseen import unforeseen_in
from airflow_plugin.jobs.merge_job import MERGE_TASK
from airflow_plugin.rows.reading import candidate_keys
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.web import queries, schemas
from airflow_plugin.web.errors import NotThere
from airflow_plugin.web.permissions import READ, User, UserDep
from airflow_plugin.web.platforms import known_platforms
from airflow_plugin.web.pool import read
from airflow_plugin.web.runs import DagRunRow, RunQuery, dag_ids_of, failures_of, run_of, runs_matching
from airflow_plugin.web.serializers import (
    batch_dict,
    dataset_dicts,
    fitting,
    merge_result,
    page,
    progress_dict,
    quality_dicts,
    run_dict,
)
from airflow_plugin.web.stream_status import LONGEST
from airflow_plugin.web.streams import streams_of
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.result import MergeResult

router = APIRouter()

FAILING = ("failed", "running")  # a run whose task waits for its next try is one that runs
RunState = Literal["", "queued", "running", "success", "failed"]
RunSorting = Literal["start", "-start", "duration", "-duration"]
Text = Annotated[str, Query(max_length=255)]
DagPath = Annotated[str, Path(max_length=250)]
RunPath = Annotated[str, Path(max_length=250)]


@dataclass(frozen=True)
class StreamPlace:
    """The stream of a DAG."""

    settings: PlatformSettings
    stream_key: str


@router.get("/runs", response_model=schemas.Runs)
def runs(
    user: UserDep,
    platform: Text = "",
    q: Text = "",
    stream: Text = "",
    state: RunState = "",
    sort: RunSorting = "-start",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> dict[str, Any]:
    """Return the runs of streams that the user may see. `q` is any part of a stream's name or a run id.

    `start` sorts by when a run was due, which is also known of a run that still waits.
    """
    requested_operation = [one for one in known_platforms().values() if platform in ("", one.platform_name)]
    places, all_of_them = _places(user, requested_operation)
    if stream:
        places = {dag_id: place for dag_id, place in places.items() if place.stream_key == stream}
    named = [dag_id for dag_id, place in places.items() if q.casefold() in place.stream_key.casefold()]
    whole = [one.platform_name for one in requested_operation] if all_of_them and not stream else []
    asked = RunQuery(whole, list(places), named, q, state, sort, limit, offset)
    with create_session(scoped=False) as session:
        total, found = runs_matching(session, asked)
        failures = failures_of(session, [run for run in found if run.state in FAILING])
    results, errors, unread = _results(places, found)
    failures |= errors
    return page("runs", [_shown(run, places[run.dag_id], results, failures, unread) for run in found], total, offset)


@router.get(
    "/runs/{dag_id}/{run_id}",
    response_model=schemas.RunDetail,
    responses={404: {"model": schemas.ErrorAnswer, "description": "there is no such run"}},
)
def one_run(user: UserDep, dag_id: DagPath, run_id: RunPath) -> dict[str, Any]:
    """Return a run, with what it did for each dataset, or why it failed."""
    if not (dag_id.isprintable() and run_id.isprintable()):
        raise _no_run()
    user.must(READ, dag_id)
    place = _places(user, _platform_of(dag_id))[0].get(dag_id)
    with create_session(scoped=False) as session:
        run = run_of(session, dag_id, run_id)
        failures = failures_of(session, [run] if run else [])
    if place is None or run is None:
        raise _no_run()

    def work(
        session: ControlSession,
    ) -> tuple[dict[tuple[str, str], dict[str, Any]], list[queries.BatchRow], list[JobProgress]]:
        found = queries.results(session, [(place.stream_key, run_id)], whole=True)
        batches = queries.batches_of_run(session, place.stream_key, run_id)
        return found, batches, [] if run.end else BatchTables(session).progress([place.stream_key])

    results, batches, progress = read(place.settings, work)
    sees_data = any(one.has_data for one in batches) and user.may_see_data(dag_id)
    seen = next((one.quality_data for one in batches if one.quality_data), None) if sees_data else None
    result = merge_result(results.get((place.stream_key, run_id)))
    said = next((one.error for one in batches if one.error), failures.get((dag_id, run_id)))
    found = result.datasets if result else {}
    shown = run_dict(run, place.settings.platform_name, place.stream_key, result, said)
    return shown | {
        "result_code": None if result is None else int(result.code),
        "progress": next((progress_dict(one) for one in progress if one.run_id == run_id), None),
        "datasets": fitting(dataset_dicts(result)),
        "quality": fitting(quality_dicts({name: map(vars, of.quality) for name, of in found.items()}, seen)),
        "log_url": _log_url(dag_id, run_id),
        "batches": fitting(batch_dict(one, sees_data) for one in batches),
    }


def _places(user: User, platforms: Collection[PlatformSettings]) -> tuple[dict[str, StreamPlace], bool]:
    """Return, by DAG id, the streams with a DAG in Airflow that the user may see; and whether these are all."""
    with create_session(scoped=False) as session:
        known = dag_ids_of(session, [one.platform_name for one in platforms])
    readable, found = user.may(READ, known), dict[str, StreamPlace]()
    for settings in platforms:
        keys = _keys(settings)
        start = f"{settings.platform_name}__"
        for dag_id in readable:
            if dag_id.startswith(start):
                found[dag_id] = StreamPlace(settings, keys.get(dag_id) or _guessed(settings, dag_id))
    return found, len(readable) == len(known)


def _guessed(settings: PlatformSettings, dag_id: str) -> str:
    return next(iter(candidate_keys(settings.platform_name, dag_id)), dag_id)


def _keys(settings: PlatformSettings) -> dict[str, str]:
    """Return the streams by DAG id; empty while the merge store is down, as runs are Airflow's."""
    try:
        return {one.dag_id: one.stream_key for one in streams_of(settings).values()}
    except StreamFactoryError:
        return {}


def _platform_of(dag_id: str) -> list[PlatformSettings]:
    return [one for one in known_platforms().values() if dag_id.startswith(f"{one.platform_name}__")]


def _results(
    places: dict[str, StreamPlace], runs: list[DagRunRow]
) -> tuple[dict[tuple[str, str], MergeResult], dict[tuple[str, str], str], set[str]]:
    """Return, by DAG id and run id, results, and errors of batches where a run that failed has none.

    The last are the platforms whose merge store cannot be read.
    """
    wanted: dict[str, list[DagRunRow]] = defaultdict(list)
    for run in runs:
        wanted[places[run.dag_id].settings.platform_name].append(run)
    found, errors, unread = dict[tuple[str, str], MergeResult](), dict[tuple[str, str], str](), set[str]()
    for of_platform in wanted.values():
        settings = places[of_platform[0].dag_id].settings
        asked = {(places[run.dag_id].stream_key, run.run_id): run for run in of_platform}
        try:
            with unforeseen_in(names.stream_table(settings.platform_name)):
                results, of_batches = _read_results(settings, asked)
                merged = {key: merge_result(stored_result) for key, stored_result in results.items()}
        except StreamFactoryError:
            unread.add(settings.platform_name)
            continue
        found |= {(asked[key].dag_id, key[1]): result for key, result in merged.items() if result is not None}
        errors |= {(asked[key].dag_id, key[1]): error for key, error in of_batches.items()}
    return found, errors, unread


def _read_results(
    settings: PlatformSettings, asked: dict[tuple[str, str], DagRunRow]
) -> tuple[dict[tuple[str, str], dict[str, Any]], dict[tuple[str, str], str]]:
    def work(
        session: ControlSession,
    ) -> tuple[dict[tuple[str, str], dict[str, Any]], dict[tuple[str, str], str]]:
        found = queries.results(session, list(asked), whole=False)
        failed = [key for key, run in asked.items() if run.state in FAILING and key not in found]
        return found, queries.batch_errors(session, failed)

    return read(settings, work)


def _shown(
    run: DagRunRow,
    place: StreamPlace,
    results: dict[tuple[str, str], MergeResult],
    failures: dict[tuple[str, str], str],
    unread: set[str],
) -> dict[str, Any]:
    of, platform = (run.dag_id, run.run_id), place.settings.platform_name
    return run_dict(
        run, platform, place.stream_key, results.get(of), failures.get(of), LONGEST, is_unread=platform in unread
    )


def _log_url(dag_id: str, run_id: str) -> str:
    base = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return f"{base}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}/tasks/{MERGE_TASK}"


def _no_run() -> NotThere:
    return NotThere("there is no such run of a stream", "See api/runs")
