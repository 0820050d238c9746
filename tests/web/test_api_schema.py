"""What the API describes is what it does: schemathesis asks whatever the description admits, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.airflow.conftest import config
from tests.web.test_api_rights import ROUTES

OPERATIONS = len({(route.method, route.described) for route in ROUTES})
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection,unsupported_method"
)
# Paths that exist, so that more than the 404 is tried.
THERE = """
[parameters]
"path.platform" = "yellowlive"
"path.key" = "Fuzzed"
"path.dag_id" = "yellowlive__Store1_ingestion"
"""


def test_the_api_does_what_it_describes(world, tmp_path):
    world.write("YellowLive", config("YellowLive", "Fuzzed"))
    (tmp_path / "schemathesis.toml").write_text(THERE)
    base = f"{world.address}/stream_factory"
    command = [Path(sys.executable).with_name("st"), "--config-file", "schemathesis.toml", "run"]
    options = [f"{base}/api/openapi.json", "--url", base, "--checks", CHECKS, "--phases", "coverage,fuzzing"]
    options += ["-H", f"Authorization: Bearer {world.token('admin')}", "-H", "Content-Type: application/json"]
    options += ["--max-examples", "10", "--seed", "1", "--generation-database", "none", "--continue-on-failure"]
    asked = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert asked.returncode == 0, asked.stdout[-6000:] + asked.stderr
    assert f"Tested: {OPERATIONS}" in asked.stdout
