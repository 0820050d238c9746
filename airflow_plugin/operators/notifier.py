"""Who is notified of failed and late streams: an Airflow connection to Slack; its provider is imported only then."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_plugin.operators.slack import Message

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

    def send(self, text: str) -> None:
        """Post the text. Raises ModuleNotFoundError if Slack's provider is not installed, and any error of posting."""
        from airflow_plugin.operators.slack import post  # a parse loads as few modules as it can

        post(self._message(self._hook().get_conn(), text), SECONDS)

    async def send_async(self, text: str) -> None:
        """Do as `send`, in an event loop."""
        from airflow_plugin.operators.slack import post_async

        await post_async(self._message(await self._hook().get_async_client(), text), SECONDS)

    def _hook(self) -> Any:
        if self.channel is None:
            return _provider("slack_webhook").SlackWebhookHook(slack_webhook_conn_id=self.connection)
        return _provider("slack").SlackHook(slack_conn_id=self.connection)

    def _message(self, client: Any, text: str) -> Message:
        from airflow_plugin.operators.slack import for_channel, for_webhook

        if self.channel is None:
            return for_webhook(client, _plain(text))
        return for_channel(client, self.channel, _plain(text))


@dataclass(frozen=True)
class NotifyFailure:
    """A task's on_failure_callback: called when no try is left. Errors in here are only logged.

    With `once` only the first of consecutive failed runs is reported.
    """

    stream: str
    notifier: Notifier
    once: bool = False

    def __call__(self, context: Context) -> None:
        """Notify of a failed task; with `once`, only when the failures begin."""
        try:
            if self.once and _failed_before(context):
                log.info("%s: %s was notified when this began", self.stream, self.notifier)
                return
            self.notifier.send(_failure(self.stream, context))
        except Exception as error:  # the task has failed already, and that must stay what is seen
            log.error("%s: nobody was notified: %s", self.stream, why_not_notified(self.notifier, error))
        else:
            log.info("%s: notified %s", self.stream, self.notifier)


async def tell_late(stream: str, seconds: int, connection: str, channel: str | None, context: dict[str, Any]) -> None:
    """Notify of a late run, as the DAG's deadline callback in the triggerer. `context` has the run, in JSON types."""
    run = context["dag_run"]
    text = (
        f"{stream} is late: run {run['dag_run_id']} of {run['dag_id']} was queued {seconds} s ago "
        f"and has not succeeded (state: {run['state']})"
    )
    notifier = Notifier(connection, channel)
    try:
        await notifier.send_async(text)
    except Exception as error:
        # The provider's error may hold the webhook's address, which is a secret, and Airflow stores what is raised.
        raise RuntimeError(f"{stream}: nobody was notified: {why_not_notified(notifier, error)}") from None


def _provider(module: str) -> Any:
    return import_module(f"airflow.providers.slack.hooks.{module}")


def _failure(stream: str, context: Context) -> str:
    from airflow.sdk.exceptions import AirflowException

    ti = context["ti"]
    error = context.get("exception")
    # These texts are ours or of Airflow and hold no value of a row; of others only the kind is reported.
    said = str(error) if isinstance(error, AirflowException | str) else type(error).__name__
    said, run_id = said[:SAID].replace("\n", " "), ti.run_id.replace("\n", " ")
    return f"{stream} failed: {said}\nRun {run_id} of {ti.dag_id}, try {ti.try_number}: {ti.log_url}"


def _failed_before(context: Context) -> bool:
    before = context["ti"].get_previous_dagrun()
    return before is not None and str(before.state) == "failed"


def _plain(text: str) -> str:
    """Return the text, with its lines, but without Slack's links and mentions and without control characters."""
    from config_schema.printable import printable  # a parse loads as few modules as it can

    text = "\n".join(map(printable, text.split("\n")))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def why_not_notified(notifier: Notifier, error: Exception) -> str:
    """Return why a message was not taken, without the connection's secrets."""
    if isinstance(error, ModuleNotFoundError):
        return f"install {PROVIDER} where Airflow runs ({error})"
    from airflow_plugin.operators.slack import NotTaken

    if isinstance(error, NotTaken):
        return f"{error} (connection {notifier.connection}). Look at that connection in Airflow"
    return f"{type(error).__name__} of connection {notifier.connection}. Look at that connection in Airflow"
