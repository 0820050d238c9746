"""A job's first connections, where they are refused at first: to the merge store, a producer, the model's server."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from config_schema.connect_wait import first_connections
from config_schema.load.git import checkout
from config_schema.load.git_errors import GitError
from config_schema.model import Milestoning, SourceKind
from config_schema.result import ResultCode
from merge_jobs.errors import ConnectFailed
from merge_jobs.run.job import run
from merge_jobs.sources.opening import open_source
from tests.kubernetes.git_server import GitServer
from tests.relay import Relay

LIVE = Milestoning.LIVE
TABLE = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"
AGAIN = "Connecting is tried again for up to"


@pytest.fixture
def relay(request):
    """In front of the server; it does not listen yet."""
    with closing(Relay(request.getfixturevalue("postgres").port)) as made:
        made.listen_not()
        yield made


@pytest.fixture
def patient():
    """This process waits for first connections, as a job does."""
    yield first_connections.set_wait
    first_connections.set_wait(0)
    first_connections._known.clear()


def test_a_job_waits_for_the_merge_store_and_says_so(merging, relay, tmp_path, read_result):
    case = merging(TABLE)
    child = case.start_child(LIVE, tmp_path, "late", f"--postgres-port={relay.port}")
    assert any(AGAIN in line for line in child.stdout)  # it is read up to there
    relay.listen()
    output, errors = child.communicate(timeout=60)
    assert errors == ""
    assert read_result(output).code is ResultCode.DONE


def test_a_job_waits_no_longer_than_it_is_told_to(merging, relay, tmp_path, read_result):
    relay.close()
    case = merging(TABLE)
    flags = (f"--postgres-port={relay.port}", "--connect-wait=0")
    output, _ = case.start_child(LIVE, tmp_path, "late", *flags).communicate(timeout=60)
    result = read_result(output)
    assert (result.code, result.retryable) == (ResultCode.ERROR, True)
    assert AGAIN not in output


def test_a_wrong_password_is_told_at_once(merging, tmp_path, read_result):
    case = merging(TABLE)
    case.target = replace(case.target, password="wrong")
    output, _ = case.start_child(LIVE, tmp_path, "late").communicate(timeout=60)
    result = read_result(output)
    assert (result.code, result.retryable) == (ResultCode.ERROR, False)
    assert AGAIN not in output


def test_a_job_that_is_asked_to_end_does_not_wait(merging, relay, tmp_path, read_result):
    relay.close()
    case = merging(TABLE)
    child = case.start_child(LIVE, tmp_path, "late", f"--postgres-port={relay.port}", "--connect-wait=300")
    for line in child.stdout:
        if AGAIN in line:
            child.send_signal(signal.SIGTERM)
            break
    began = time.monotonic()
    result = read_result(child.communicate(timeout=60)[0])
    assert time.monotonic() - began < 30
    assert "ended by SIGTERM" in result.error


def test_a_producer_is_waited_for(merging, relay, patient, caplog):
    case = merging(TABLE)
    job = case.job(LIVE)
    patient(20)
    timer = threading.Timer(3, relay.listen)
    timer.start()
    assert run(replace(job, source=replace(job.source, port=relay.port))).code is ResultCode.DONE
    timer.join()
    assert any(AGAIN in line for line in caplog.messages)


def test_a_producer_of_another_kind_is_waited_for(merging, relay, patient, caplog):
    pytest.importorskip("pymysql")
    relay.close()
    job = merging(TABLE).job(LIVE)
    place = replace(job.source, port=relay.port, kind=SourceKind.MYSQL)
    patient(1)
    with pytest.raises(ConnectFailed):
        open_source(place, "test")
    assert sum(AGAIN in line for line in caplog.messages) > 1


def test_the_server_of_the_model_is_waited_for(patient, tmp_path, caplog):
    git = GitServer(tmp_path, "the-token")
    commit = git.commit({"ecosystem.yaml": "name: Test"})
    with closing(git), closing(Relay(git._server.server_address[1])) as late:
        url = f"http://127.0.0.1:{late.port}/model.git"
        late.listen_not(1)
        with pytest.raises(GitError):
            checkout(url, "main", None, tmp_path / "impatient", "the-token")
        first_connections._known.clear()
        patient(20)
        assert checkout(url, "main", None, tmp_path / "patient", "the-token") == commit
    assert any(AGAIN in line for line in caplog.messages)
