"""Who is told that a stream failed or is late: an Airflow connection to Slack, whose provider is imported only then."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Context

SAID = 1000  # characters of an error; the log has the rest
SECONDS = 10  # that Slack has to answer: a task waits for it
PROVIDER = "apache-airflow-providers-slack"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Notifier:
    """An Airflow connection: an incoming webhook of Slack or, with a channel, Slack's API."""

    connection: str
    channel: str | None = None

    def __str__(self) -> str:
        return f"{self.connection} {self.channel}" if self.channel else self.connection

    def made(self, text: str) -> BaseNotifier:
        """Airflow's notifier. Raises ModuleNotFoundError if its provider is not installed.

        It would render what it is given as a template when it is called: only its `notify` and `async_notify` may be.
        """
        given: dict[str, Any] = {"text": _plain(text), "timeout": SECONDS, "unfurl_links": False}
        made: BaseNotifier
        if self.channel is None:
            made = _provider("slack_webhook").SlackWebhookNotifier(slack_webhook_conn_id=self.connection, **given)
        else:
            made = _provider("slack").SlackNotifier(slack_conn_id=self.connection, channel=self.channel, **given)
        return made


@dataclass(frozen=True)
class TellFailure:
    """A task's on_failure_callback: called when no try is left. Whatever goes wrong here is logged only.

    With `once` only the first of runs that fail one after the other is told.
    """

    stream: str
    notifier: Notifier
    once: bool = False

    def __call__(self, context: Context) -> None:
        try:
            if self.once and _failed_before(context):
                log.info("%s: %s was told when this began", self.stream, self.notifier)
                return
            self.notifier.made(_failure(self.stream, context)).notify(context)
        except Exception as error:  # the task has failed already, and that must stay what is seen
            log.error("%s: nobody was told: %s", self.stream, _why(self.notifier, error))
        else:
            log.info("%s: told %s", self.stream, self.notifier)


async def tell_late(stream: str, seconds: int, connection: str, channel: str | None, context: dict[str, Any]) -> None:
    """The DAG's deadline callback: runs in the triggerer. `context` has the run, in JSON's types."""
    run = context["dag_run"]
    text = (
        f"{stream} is late: run {run['dag_run_id']} of {run['dag_id']} was queued {seconds} s ago "
        f"and has not succeeded (state: {run['state']})"
    )
    notifier = Notifier(connection, channel)
    try:
        await notifier.made(text).async_notify({})
    except Exception as error:
        # The provider's error may hold the webhook's address, which is a secret, and Airflow stores what is raised.
        raise RuntimeError(f"{stream}: nobody was told: {_why(notifier, error)}") from None


def _provider(module: str) -> Any:
    return import_module(f"airflow.providers.slack.notifications.{module}")


def _failure(stream: str, context: Context) -> str:
    from airflow.sdk.exceptions import AirflowException

    ti = context["ti"]
    error = context.get("exception")
    # These are worded by us or by Airflow and hold no value of a row; of others only the kind is told.
    said = str(error) if isinstance(error, AirflowException | str) else type(error).__name__
    said, run_id = said[:SAID].replace("\n", " "), ti.run_id.replace("\n", " ")
    return f"{stream} failed: {said}\nRun {run_id} of {ti.dag_id}, try {ti.try_number}: {ti.log_url}"


def _failed_before(context: Context) -> bool:
    before = context["ti"].get_previous_dagrun()
    return before is not None and str(before.state) == "failed"


def _plain(text: str) -> str:
    """Return the text, lines as lines, without what Slack takes for links and mentions, and without what controls."""
    from config_schema.printable import printable  # a parse loads as few modules as it can

    text = "\n".join(map(printable, text.split("\n")))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _why(notifier: Notifier, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"install {PROVIDER} where Airflow runs ({error})"
    return f"{type(error).__name__} of connection {notifier.connection}. Look at that connection in Airflow"
