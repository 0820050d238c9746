"""What `dagfactory migrate` says, on stderr where stdout has a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from airflow_plugin.cli.wording import talk
from airflow_plugin.migrate.extract import Extracted


def print_extracted(streams: Iterable[Extracted], others: Mapping[Path, str]) -> None:
    """A line for each DAG and for each file without one."""
    count = 0
    for one in streams:
        place = f"{one.dag.file}:{one.dag.line}"
        if one.config is None:
            talk(f"{place}: {one.dag.dag_id or 'a DAG'}: left out")
            continue
        count += 1
        renamed = "" if one.dag_id == one.dag.dag_id else f", whose DAG is {one.dag_id} and not {one.dag.dag_id}"
        talk(f"{place}: {one.platform} {one.config.stream_key}{renamed}")
        if one.others:
            talk(f"{place}: no config has a key for {', '.join('--' + flag for flag in one.others)}")
    for file, why in others.items():
        talk(f"{file}: {why}")
    talk(f"{count} stream{'' if count == 1 else 's'}")
