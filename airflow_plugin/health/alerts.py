"""Who is notified of what, once for each change: failing, still failing after a day, recovered, a quality warning.

`alerts` is pure; `send_alerts` posts what it gives, and records what was sent.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from airflow_plugin.control.session import control_session
from airflow_plugin.control.stream_alerts import SentAlert, StreamAlerts
from airflow_plugin.control.unforeseen import unforeseen_in
from airflow_plugin.health.streams import Health, quality_warning
from airflow_plugin.operators.notifier import Notifier, why_not_notified
from airflow_plugin.settings import PlatformSettings, merge_store_dsn
from config_schema.errors import StreamFactoryError
from config_schema.result import DatasetCheck
from config_schema.stream_health import HealthState, Verdict, failure, source_in_words

AGAIN = timedelta(days=1)  # after which people hear once more of a stream that goes on failing
SHOWN = 20  # streams in a message
SAID = 500  # characters of what is wrong with one

log = logging.getLogger(__name__)


class AlertState(Enum):
    """What is reported of a stream that is not fine."""

    FAILING = "failing"
    WARNING = "quality warning"


@dataclass(frozen=True)
class Alert:
    """A message about a stream, and the state to record once it is sent; None if the stream is fine again."""

    stream_key: str
    text: str
    state: AlertState | None


def alerts(health: Health, sent_before: Mapping[str, SentAlert], now: datetime) -> Iterator[Alert]:
    """Yield the alerts that were not sent yet. One without a text only removes a recorded state.

    Of a stream that cannot be judged nothing is said, and nothing forgotten.
    """
    for key, verdict in sorted(health.verdicts.items()):
        before = sent_before.get(key)
        if verdict.state is not HealthState.UNKNOWN:
            yield from _of_stream(key, verdict, health.warnings.get(key, ()), before, now)
    yield from (Alert(key, "", None) for key in sent_before.keys() - health.verdicts.keys())


def _of_stream(
    key: str, verdict: Verdict, warnings: Sequence[DatasetCheck], before: SentAlert | None, now: datetime
) -> Iterator[Alert]:
    was_failing = before is not None and before.state == AlertState.FAILING.value
    if verdict.failed is not None or verdict.source_error is not None:
        why = _why(verdict)[:SAID]
        if not was_failing:
            yield Alert(key, f"is failing: {why}", AlertState.FAILING)
        elif before is not None and now - before.at >= AGAIN:
            yield Alert(key, f"is still failing: {why}", AlertState.FAILING)
        return
    state = AlertState.WARNING if warnings else None
    if was_failing and verdict.state is HealthState.PAUSED:
        yield Alert(key, "", None)
        return
    if was_failing:
        yield Alert(key, "has recovered", state)
    if warnings and (before is None or before.state != AlertState.WARNING.value):
        yield Alert(key, f"has {quality_warning(warnings)}"[:SAID], state)
    elif before is not None and not was_failing and not warnings:
        yield Alert(key, "", None)


def _why(verdict: Verdict) -> str:
    if verdict.failed is None:
        return "" if verdict.source_error is None else source_in_words(verdict.source_error)
    return failure(verdict.failed, verdict.fresh_at)


def send_alerts(settings: PlatformSettings, health: Health) -> None:
    """Notify whoever is named for each stream of what they have not heard yet. Raises nothing: what fails is logged.

    A message that was not taken is sent with the next check.
    """
    if not health.notifiers or health.at is None:
        return
    try:
        dsn, where = merge_store_dsn(settings.platform_name)
        of = settings.platform_name, settings.merge_store_schema
        with unforeseen_in(where), control_session(dsn, where, *of) as session:
            table = StreamAlerts(session)
            found = list(alerts(health, table.sent(), health.at))
            sent = list(_sent(settings, health, found))
            if sent:
                _record(table, sent)
    except StreamFactoryError as error:
        log.error("%s: nobody is notified of changes: %s", settings.platform_name, error)


def _record(table: StreamAlerts, sent: list[Alert]) -> None:
    last = {one.stream_key: one.state for one in sent}
    reported = {key: state.value for key, state in last.items() if state is not None}
    table.record(reported, last.keys() - reported.keys())


def _sent(settings: PlatformSettings, health: Health, found: list[Alert]) -> Iterator[Alert]:
    """Post a message to each notifier; yield the alerts that were posted, or have nothing to post."""
    by_notifier: dict[Notifier, list[Alert]] = defaultdict(list)
    for one in found:
        notifier = health.notifiers.get(one.stream_key)
        if not one.text or notifier is None:
            yield one
        else:
            by_notifier[notifier].append(one)
    for notifier, of in by_notifier.items():
        try:
            notifier.send(_message(settings, of))
        except Exception as error:  # the check has its own result, whatever becomes of messages
            log.error("%s: nobody was notified: %s", settings.platform_name, why_not_notified(notifier, error))
        else:
            log.info("%s: notified %s of %d streams", settings.platform_name, notifier, len(of))
            yield from of


def _message(settings: PlatformSettings, of: list[Alert]) -> str:
    lines = [f"{settings.original_platform_name} {one.stream_key} {one.text}" for one in of[:SHOWN]]
    more = [f"and {len(of) - SHOWN} more"] if len(of) > SHOWN else []
    return "\n".join(line.replace("\n", " ") for line in [*lines, *more])
