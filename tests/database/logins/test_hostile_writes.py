"""What a component's login, or whoever can write rows, may write hides nothing of others: all is still read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from airflow_plugin.control.batch_table import BatchTables
from airflow_plugin.control.session import ControlSession, control_session
from airflow_plugin.control.stream_alerts import StreamAlerts
from airflow_plugin.health.streams import platform_health
from airflow_plugin.rows.reading import read_table
from airflow_plugin.streams.opening import reading
from airflow_plugin.web import queries
from airflow_plugin.web.serializers import merge_result
from config_schema.sql.component_logins import Duty

from .test_rights import World, merged_world, settings, sync

PLATFORM = "yellowforensic"
STREAMS, HISTORY, RESULTS, ALERTS = (
    f"{PLATFORM}_{name}" for name in ("airflow_dsg", "airflow_dsg_history", "run_results", "stream_alerts")
)
RUN = ("Store1", "hostile")
# No year that a datetime can have; and results that are no results.
TIMES = ("0044-03-15 BC", "20000-01-01", "infinity", "-infinity")
ODD_RESULTS = (
    '{"code": -1, "retryable": "maybe"}',
    '{"code": -1, "retryable": 5, "error": {"a": 1}}',
    '"a text"',
    "null",
    "[]",
    '{"code": 0, "run_id": 5, "datasets": {"a": {"counts": 5}}}',
)


@pytest.fixture(scope="module")
def world(make_store) -> World:
    return merged_world(make_store)


@pytest.fixture(autouse=True)
def _as_it_was(world, monkeypatch, tmp_path) -> Iterator[None]:
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(tmp_path))
    yield
    world.store.run(
        world.store.owner,
        f"DELETE FROM {RESULTS} WHERE run_id = 'hostile'; DELETE FROM {ALERTS};"
        f"DELETE FROM {HISTORY} WHERE changed_by = 'hostile';"
        f"UPDATE {STREAMS} SET created_at = now(), updated_at = now()",
    )


def uses(world: World, use_login: Callable[[Duty], None]) -> dict[str, Callable[[], Any]]:
    """What reads the rows, each with its login."""

    def on(duty: Duty, read: Callable[[ControlSession], Any]) -> Callable[[], Any]:
        def use() -> Any:
            with control_session(world.dsn(duty), "there", PLATFORM) as session:
                return read(session)

        return use

    def by(duty: Duty, read: Callable[[], Any]) -> Callable[[], Any]:
        def use() -> Any:
            use_login(duty)
            return read()

        return use

    def as_tools_do() -> Any:
        with reading("YellowForensic") as table:
            return table.rows(), table.history("Store1")

    return {
        "parse": by(Duty.READER, lambda: read_table(settings())),
        "health": by(Duty.WORKER, lambda: platform_health(settings()).verdicts["Store1"]),
        "alerts": on(Duty.WORKER, lambda session: StreamAlerts(session).sent()),
        "failed runs": on(Duty.READER, lambda session: BatchTables(session).failed_runs()),
        "streams of the pages": on(Duty.PAGES, lambda session: queries.stored_rows(session, "")),
        "a result of the pages": on(Duty.PAGES, lambda session: results(session, whole=True)),
        "results of the pages": on(Duty.PAGES, lambda session: results(session, whole=False)),
        "tools": by(Duty.PAGES, as_tools_do),
        "sync": lambda: sync(world),
    }


def results(session: ControlSession, *, whole: bool) -> list[Any]:
    return [merge_result(one) for one in queries.results(session, [RUN], whole=whole).values()]


@pytest.fixture
def read_by_all(world, monkeypatch) -> Callable[[], None]:
    def use_login(duty: Duty) -> None:
        monkeypatch.setenv("DAGFACTORY_YELLOWFORENSIC_DSN", world.dsn(duty))

    def read() -> None:
        failed = {}
        for name, use in uses(world, use_login).items():
            try:
                use()
            except Exception as error:
                failed[name] = f"{type(error).__name__}: {error}"
        assert failed == {}

    return read


@pytest.mark.parametrize("time", TIMES)
def test_a_time_of_any_year_is_read(world, read_by_all, time):
    world.store.run(world.dsn(Duty.PAGES), f"UPDATE {STREAMS} SET created_at = '{time}', updated_at = '{time}'")
    world.store.run(
        world.dsn(Duty.PAGES),
        f"INSERT INTO {HISTORY} (stream_key, change, changed_by, changed_at, after_config_json, after_status)"
        f" SELECT stream_key, 'edit', 'hostile', '{time}', config_json, status FROM {STREAMS}",
    )
    write_result(world, '{"code": -1}', time)
    world.store.run(world.dsn(Duty.WORKER), f"INSERT INTO {ALERTS} VALUES ('Store1', 'failing', '{time}')")
    read_by_all()


@pytest.mark.parametrize("result", ODD_RESULTS)
def test_a_result_that_is_none_is_read_as_none(world, read_by_all, result):
    write_result(world, result, "now() + interval '1 day'")
    read_by_all()


def test_a_result_of_any_length_is_cut_or_left_out(world):
    write_result(world, '{"code": -1, "error": "long"}', "now()")
    world.store.run(
        world.store.owner,
        f"UPDATE {RESULTS} SET result_json = result_json || jsonb_build_object('error', repeat('e', 3000000))",
    )
    with control_session(world.dsn(Duty.PAGES), "there", PLATFORM) as session:
        assert [len(one["error"]) for one in queries.results(session, [RUN], whole=True).values()] == [10_000]
        assert [len(one["error"]) for one in queries.results(session, [RUN], whole=False).values()] == [2_000]
    world.store.run(
        world.store.owner,
        f"UPDATE {RESULTS} SET result_json = result_json || jsonb_build_object('x', repeat('e', 9000000))",
    )
    with control_session(world.dsn(Duty.PAGES), "there", PLATFORM) as session:
        assert queries.results(session, [RUN], whole=True) == {}


def write_result(world: World, result: str, ended_at: str) -> None:
    ended = ended_at if ended_at.startswith("now()") else f"'{ended_at}'"
    with closing(psycopg2.connect(world.dsn(Duty.WORKER))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {RESULTS} VALUES (%s, %s, {ended}, {ended}, %s::jsonb)", (*RUN, result))
