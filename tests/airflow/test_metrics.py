"""What loading tells Airflow's own metrics, from the real dag-processor to a receiver on this machine."""

from __future__ import annotations

import importlib.util
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from airflow_plugin.health.streams import Age, Health
from airflow_plugin.jobs.merge_job import MergeJob
from config_schema.result import DatasetCheck, DatasetResult, MergeResult, QualityResult, ResultCode
from config_schema.stream_health import FailedRuns, HealthState, Late, Verdict
from tests.airflow.of_version import statsd_of_tasks
from tests.airflow.statsd_receiver import Statsd

WHOLE = "airflow.stream_factory.yellowlive."
AGE = "snapshot_age_seconds"
EXPECTED = {"rows": 3, "dags": 2, "set_aside": 1}


@pytest.fixture
def platform(real_airflow, streams, config):
    """Three rows of YellowLive, of which one is broken."""
    streams.settle("YellowLive", runners=("process",))
    streams.write("YellowLive", config("YellowLive"), config("YellowLive", "Store2"))
    streams.write_text("YellowLive", ("Store3", "{", "active"))
    return real_airflow


@pytest.fixture
def collector() -> Iterator[ThreadingHTTPServer]:
    """An OpenTelemetry collector, which keeps what it is sent in `bodies`."""
    bodies: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.bodies = bodies
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_opentelemetry_gets_the_gauges_and_the_time_of_loading(platform, collector):
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    platform.parse(
        AIRFLOW__METRICS__OTEL_ON="True",
        AIRFLOW__METRICS__OTEL_HOST="127.0.0.1",  # as Airflow 3.1 is given it
        AIRFLOW__METRICS__OTEL_PORT=str(collector.server_port),
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_COMPRESSION="none",
        OTEL_METRIC_EXPORT_INTERVAL="30000",
    )
    assert platform.import_errors() == []
    requests = [ExportMetricsServiceRequest.FromString(body) for body in collector.bodies]
    metrics = {
        metric.name.removeprefix(WHOLE): metric
        for request in requests
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name.startswith(WHOLE)
    }
    gauges = {name: metric.gauge.data_points[0] for name, metric in metrics.items() if name in (*EXPECTED, AGE)}
    _expect({name: point.as_double or point.as_int for name, point in gauges.items()})
    assert {one.key: one.value.string_value for one in gauges["rows"].attributes} == {
        "platform": "yellowlive",
        "shard": "1/1",
    }
    timing = metrics["load_duration"]
    if timing.HasField("gauge"):  # Airflow 3.1 sends what something took as a gauge
        (load,) = timing.gauge.data_points
        assert load.as_double > 0
    else:
        (load,) = timing.exponential_histogram.data_points
        assert (load.count, load.sum > 0) == (1, True)


def test_statsd_gets_the_same_under_the_same_names(platform):
    package = Path(importlib.util.find_spec("statsd").origin).parents[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        platform.parse(
            AIRFLOW__METRICS__STATSD_ON="True",
            AIRFLOW__METRICS__STATSD_PORT=str(receiver.getsockname()[1]),
            PYTHONPATH=str(package),
        )
        reported = {}
        while (packet := _packet(receiver)) is not None:
            name, _, value = packet.partition(":")
            reported[name] = value
    gauges = {name: reported[f"{WHOLE}{name}"] for name in (*EXPECTED, AGE)}
    assert {value.partition("|")[2] for value in gauges.values()} == {"g"}
    _expect({name: float(value.partition("|")[0]) for name, value in gauges.items()})
    assert reported[f"{WHOLE}load_duration"].endswith("|ms")


def _expect(found: dict[str, float]) -> None:
    """The table was read in this parse: its age in whole seconds is what the parse took since."""
    assert found == EXPECTED | {AGE: found[AGE]}
    assert 0 <= found[AGE] < 60


def _packet(receiver: socket.socket) -> str | None:
    try:
        return receiver.recv(65536).decode()
    except BlockingIOError:
        return None


@pytest.fixture
def statsd(airflow_here, monkeypatch):
    """Metrics of this process sent to a receiver, as a worker has it."""
    server = Statsd()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    with statsd_of_tasks():
        yield server
    server.close()


def test_check_streams_tells_of_each_stream_how_old_its_data_is_and_how_late(statsd):
    from airflow_plugin.platform_dags.platform_metrics import send_health_metrics

    ages = {"Store1": Age(1800.0, 1200.0), "Shop.eu#orders": Age(5.0, 0.0)}
    now = datetime.now(UTC)
    verdicts = {
        "Store1": Verdict(HealthState.LATE, late=Late(now, 1200.0, never=False)),
        "Store2": Verdict(HealthState.FAILING, FailedRuns(3)),
        "Store3": Verdict(HealthState.NEVER_RUN),
        "Store4": Verdict(HealthState.UNKNOWN),
    }
    warnings = {"Store3": (DatasetCheck("customers", QualityResult("set", "not_null", "warn", 2)),)}
    send_health_metrics("yellowlive", Health((), "", verdicts, ages=ages, warnings=warnings))
    wanted = {
        "streams": 4,
        "late_streams": 1,
        "failing_streams": 1,
        "never_succeeded_streams": 0,
        "never_run_streams": 1,
        "unknown_streams": 1,
        "quality_warning_streams": 1,
        "problems": 0,
        "judged": 1,
        "stream.Store1.age_seconds": 1800,
        "stream.Store1.late_seconds": 1200,
        "stream.Shop_eu_orders.age_seconds": 5,
        "stream.Shop_eu_orders.late_seconds": 0,
    }
    for _ in range(100):
        reported = {name: float(value.partition("|")[0]) for name, value in statsd.of(WHOLE).items()}
        if reported == wanted:
            break
        time.sleep(0.05)
    assert reported == wanted


def test_a_job_that_left_no_result_is_an_error_and_what_the_metrics_do_is_none(statsd):
    from airflow_plugin.metrics import ERRORS, of_stream, send
    from airflow_plugin.operators.run_metrics import send_run_metrics

    job = MergeJob("YellowLive", "yellowlive", "Store1", (), ())
    send_run_metrics(job, None, {})
    for _ in range(100):
        if statsd.sums:
            break
        time.sleep(0.05)
    assert dict(statsd.sums) == {f"{WHOLE}stream.Store1.errors": 1}
    send(None, of_stream("yellowlive", "Store1"), {ERRORS: 1}, {})  # there is no such module


def test_each_quality_check_of_a_run_is_a_metric_and_so_is_how_many_are_broken(statsd):
    from airflow_plugin.operators.run_metrics import send_run_metrics

    checks = (
        QualityResult("email.is set", "not_null", "warn", 3),
        QualityResult("once", "unique", "fail", 2),
        QualityResult("known", "reference", "fail", 0),
    )
    result = MergeResult(
        *(ResultCode.ERROR, "run 1", "YellowLive", "Store1"), datasets={"customers": DatasetResult(quality=checks)}
    )
    send_run_metrics(MergeJob("YellowLive", "yellowlive", "Store1", (), ()), result, {})
    wanted = {
        "errors": "1|c",
        "quality_warnings": "1|g",
        "quality_failures": "1|g",
        "quality.customers.email_is_set.violations": "3|g",
        "quality.customers.once.violations": "2|g",
        "quality.customers.known.violations": "0|g",
    }
    for _ in range(100):
        if statsd.of(f"{WHOLE}stream.Store1.") == wanted:
            break
        time.sleep(0.05)
    assert statsd.of(f"{WHOLE}stream.Store1.") == wanted


def test_while_metrics_are_off_nothing_is_imported_for_them(airflow_here):
    import sys

    from airflow_plugin.factory.publishing import report_load
    from airflow_plugin.factory.shards import WHOLE as UNSPLIT
    from airflow_plugin.metrics import ROWS

    before = set(sys.modules)
    report_load("yellowlive", UNSPLIT, seconds=0.1, gauges={ROWS: 3})
    assert set(sys.modules) == before
