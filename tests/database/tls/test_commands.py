"""Commands with the merge store's address in flags: what the model demands of it holds for each of their sessions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.middle import PostgresMiddle
from tests.tls_server import WORD

MODEL = """
name: Test
platforms:
- name: YellowLive
  milestoning: live
  namespace: ns
  image: image
  model: {{url: "file:///nowhere"}}
  merge_store: {{host: 127.0.0.1, port: {port}, database: d, credential: postgres, tls: verify-full}}
datastores:
- name: Store1
  source: {{host: 127.0.0.1, port: 1, database: d, credential: producer}}
  datasets:
  - {{name: t, primary_key: [id], columns: [{{name: id, type: integer, nullable: false}}]}}
"""
COMMANDS = (
    ("merge", "--store=Store1", "--run-id=r"),
    ("merge", "--store=Store1", "--run-id=r", "--dry-run"),
    ("diff", "--store=Store1"),
    ("status",),
    ("reset", "--store=Store1"),
    ("trust", "--store=Store1"),
    ("tables",),
    ("archive",),
    ("views", "reconcile"),
)


def run(folder: Path, port: int, *command: str) -> str:
    """Run a command of merge-job with the merge store's address in its flags too; return what it prints."""
    (folder / "ecosystem.yaml").write_text(MODEL.format(port=port))
    (folder / "dsg_platform_mapping.json").write_text("[]")
    secrets = {f"{secret}_{key}": WORD for secret in ("POSTGRES", "PRODUCER") for key in ("USERNAME", "PASSWORD")}
    address = ("--postgres-host=127.0.0.1", f"--postgres-port={port}", "--postgres-database=d")
    flags = (f"--model={folder}", *address, "--postgres-credential=postgres", "--connect-wait=0")
    done = subprocess.run(
        [sys.executable, "-m", "merge_jobs", *command, "--platform=YellowLive", *flags],
        env={"PATH": os.environ["PATH"], **secrets},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_man_in_the_middle_gets_no_session_also_where_a_failure_is_written_down(tmp_path, command):
    with PostgresMiddle().listening() as middle:
        printed = run(tmp_path, middle.port, *command)
    assert "the server offers no TLS, and tls wants it" in printed
    assert middle.connections
    assert middle.without_tls == 0
