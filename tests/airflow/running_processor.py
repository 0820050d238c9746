"""A dag-processor that goes on, over a bundle of streams: started, watched and ended by a test or a benchmark."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_plugin.factory.bundle_config import CLASSPATH
from airflow_plugin.factory.bundle_config import NAME as BUNDLE
from tests.airflow.real_airflow import RealAirflow


def bundle_settings(*platforms: str, interval: int = 3600, classpath: str = CLASSPATH) -> dict[str, str]:
    """What is set in an Airflow that has the bundle, and no other."""
    bundles = [{"name": BUNDLE, "classpath": classpath, "kwargs": {"platforms": list(platforms)}}]
    return {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": str(interval),
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    }


@dataclass
class RunningProcessor:
    """A dag-processor in a process of its own; `storage` has the bundle's files."""

    real: RealAirflow
    process: subprocess.Popen[bytes]
    storage: Path
    log: Path

    @property
    def files(self) -> Path:
        return self.storage / BUNDLE / "files"

    def wait(self, what: str, seen: Callable[[], Any], seconds: float = 30) -> Any:
        """Wait until something is seen, and return it; fails with the end of the log."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := seen():
                return found
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            time.sleep(0.1)
        raise AssertionError(f"{what}: not within {seconds} s\n{self.log.read_text()[-6000:]}")


@contextmanager
def running_processor(
    real: RealAirflow, folder: Path, environment: Mapping[str, str], name: str = "one"
) -> Iterator[RunningProcessor]:
    """A dag-processor, until the end of the block."""
    storage, log = folder / f"bundles-{name}", folder / f"dag-processor-{name}.log"
    more = {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(storage),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(folder / f"parse-logs-{name}"),
    }
    command = [str(Path(sys.executable).with_name("airflow")), "dag-processor"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=real.environment | more | dict(environment), stdout=output, stderr=output
        )
        try:
            yield RunningProcessor(real, process, storage, log)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
