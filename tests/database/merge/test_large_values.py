"""Values that are large beside the job's memory."""

from __future__ import annotations

import resource
import signal

import pytest

from config_schema.model import Milestoning
from config_schema.result import ResultCode
from merge_jobs.process.memory_limit import limit_memory
from tests.database.conftest import result_of

LIVE = Milestoning.LIVE
MB = 1 << 20


@pytest.mark.parametrize(("growth", "fits"), [(60 * MB, False), (400 * MB, True)])
def test_a_row_that_does_not_fit_into_the_job_s_memory_is_an_error_that_says_so(merging, tmp_path, growth, fits):
    case = merging("CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t VALUES (1, repeat('x', 40000000))")
    child = case.start_child(LIVE, tmp_path, "run-1")
    resource.prlimit(child.pid, resource.RLIMIT_DATA, (100 * MB + growth, resource.RLIM_INFINITY))
    out, _ = child.communicate(timeout=60)
    result = result_of(out)
    assert child.returncode != -signal.SIGKILL
    if fits:
        assert result.code is ResultCode.DONE
    else:
        assert (result.code, result.retryable) == (ResultCode.ERROR, False)
        assert "a row is too large for the job's memory" in out
        assert "Give the job's pod more memory" in out


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cgroup": "0::/\n", "root/memory.max": "1000000000", "root/memory.current": "500000000"}, 450000000),
        (
            {
                "cgroup": "4:memory:/pod/x\n0::/\n",
                "root/memory/pod/x/memory.limit_in_bytes": "1000000000",
                "root/memory/pod/x/memory.usage_in_bytes": "900000000",
                "root/memory/pod/x/memory.stat": "cache 1\ntotal_inactive_file 400000000\n",
            },
            450000000,
        ),
        ({"cgroup": "0::/a/b\n", "root/a/memory.max": "200000000", "root/a/memory.current": "190000000"}, 96 * MB),
        ({"cgroup": "0::/\n", "root/memory.max": "max", "root/memory.current": "500000000"}, None),
        ({"cgroup": "4:memory:/\n", "root/memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ({}, None),
    ],
)
def test_the_memory_that_a_container_has_left_is_the_job_s_limit(tmp_path, monkeypatch, files, limit):
    for name, text in {**files, "status": "Name:\tx\nVmData:\t   1024 kB\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    wanted = []
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: wanted.append((what, limits[0])))
    assert limit_memory(tmp_path / "root", tmp_path) == limit
    assert wanted == ([] if limit is None else [(resource.RLIMIT_DATA, limit + MB)])
