"""What commands say of changed rows in Airflow: which files it is asked to parse, and what it has not stored yet."""

from __future__ import annotations

from collections import Counter

import typer

from airflow_plugin.airflow_api import AirflowClient
from airflow_plugin.cli.messages import print_error, print_message
from airflow_plugin.health.changed import Changed, SeenReport, look
from airflow_plugin.health.changed import wait_until_stored as wait
from config_schema.errors import StreamFactoryError

NOT_STORED = 3  # the exit code of --wait


def ask_to_parse(api: AirflowClient, changed: Changed) -> None:
    """Ask Airflow to parse the files of changed streams, and say so; the rows stay written if that fails."""
    if not any(changed.values()):
        return
    try:
        found = look(api, changed, ask=True)
    except StreamFactoryError as error:
        print_message(f"Airflow could not be asked to parse the change, which shows at its next pass: {error}")
        return
    for line in _asked(found):
        print_message(line)


def wait_until_stored(api: AirflowClient, changed: Changed, seconds: int) -> None:
    """Wait until Airflow has stored changed streams, and say what it waits for; end the command where it does not."""
    if not any(changed.values()):
        return
    said: set[str] = set()

    def report(found: SeenReport) -> None:
        reasons = Counter(one.what for one in found.unseen.values())
        for line in [*_asked(found), *(f"waiting for {count}: {what}" for what, count in reasons.items())]:
            kind = line.partition(": ")[2] or line
            if kind not in said:
                said.add(kind)
                print_message(line)

    try:
        took = wait(api, changed, seconds, report)
    except StreamFactoryError as error:
        print_error(error)
        raise typer.Exit(NOT_STORED) from error
    print_message(f"Airflow has stored all {sum(map(len, changed.values()))} changed streams after {took:.1f} s")


def _asked(found: SeenReport) -> list[str]:
    named = ", ".join(sorted(found.files))
    return [*([f"Airflow is asked to parse {named}"] if named else []), *sorted(found.notes)]
