"""Who is notified of a stream that failed or is late: by the real Slack provider, to a server on this machine."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import traceback
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_plugin.operators.notifier import Notifier, NotifyFailure, tell_late
from tests.airflow.slack import Slack

NOTICE = NotifyFailure("YellowLive Store1", Notifier("slack_ops"))
LATE = {"dag_run": {"dag_id": "yellowlive__Store1_ingestion", "dag_run_id": "run 1", "state": "running"}}


def failed(error: BaseException | str, before: str | None = None) -> dict[str, Any]:
    """What the callback of a failed task gets; `before` is the state of the run before its own."""
    ti = SimpleNamespace(
        run_id="run 1",
        dag_id="yellowlive__Store1_ingestion",
        try_number=3,
        log_url="http://airflow/x",
        get_previous_dagrun=lambda: None if before is None else SimpleNamespace(state=before),
    )
    return {"ti": ti, "exception": error}


def test_a_failure_is_reported_with_the_stream_the_error_and_the_place_of_its_log(slack):
    from airflow_plugin.airflow_versions import AirflowFailException

    NOTICE(failed(AirflowFailException("YellowLive Store1: customers: no such table")))
    ((path, body),) = slack.posted
    assert path == "/services/the-secret"
    assert body["text"] == (
        "YellowLive Store1 failed: YellowLive Store1: customers: no such table\n"
        "Run run 1 of yellowlive__Store1_ingestion, try 3: http://airflow/x"
    )


def test_nothing_of_it_is_a_template_or_a_mention_and_a_stranger_s_error_is_reported_by_its_kind_only(slack):
    from airflow.sdk.exceptions import AirflowException

    NOTICE(failed(AirflowException("{{ conn.slack_ops.password }} <!channel> & co")))
    NOTICE(failed(ValueError("key (id)=(42) already exists")))
    first, second = slack.texts
    assert "failed: {{ conn.slack_ops.password }} &lt;!channel&gt; &amp; co\n" in first
    assert "failed: ValueError\n" in second


def test_what_it_says_controls_nothing_and_has_no_lines_but_its_own(slack):
    from airflow.sdk.exceptions import AirflowException

    NOTICE(failed(AirflowException("it\nYellowLive Store2 failed: forged\r\x1b[2J\u202e")))
    (text,) = slack.texts
    first, second = text.split("\n")
    assert first == "YellowLive Store1 failed: it YellowLive Store2 failed: forged\\r\\x1b[2J\\u202e"
    assert second.startswith("Run run 1 of ")


def test_of_a_check_that_goes_on_failing_only_the_first_time_is_reported(slack):
    notice = NotifyFailure("YellowLive health", Notifier("slack_ops"), once=True)
    for number, before in enumerate((None, "failed", "success"), 1):
        notice(failed(f"time {number}", before))
    assert [text.partition("\n")[0] for text in slack.texts] == [
        "YellowLive health failed: time 1",
        "YellowLive health failed: time 3",
    ]
    NOTICE(failed("of a stream each", "failed"))
    assert slack.texts[-1].startswith("YellowLive Store1 failed: of a stream each")


def test_with_a_channel_it_is_posted_by_slack_s_api(slack):
    slack.answer = '{"ok": true}'
    NotifyFailure("YellowLive Store1", Notifier("slack_api", "#ops"))(failed("killed"))
    ((path, body),) = slack.posted
    assert (path, body["channel"]) == ("/chat.postMessage", "#ops")
    assert body["text"].startswith("YellowLive Store1 failed: killed\n")


def test_a_late_run_is_reported_with_its_seconds(slack):
    asyncio.run(tell_late("YellowLive Store1", 60, "slack_ops", None, LATE))
    assert slack.texts == [
        "YellowLive Store1 is late: run run 1 of yellowlive__Store1_ingestion was queued 60 s ago "
        "and has not succeeded (state: running)"
    ]


def test_where_slack_refuses_the_log_says_whose_connection_that_is_and_nothing_secret(slack, caplog):
    slack.status, slack.answer = 403, "invalid_token"
    NOTICE(failed("killed"))
    with pytest.raises(RuntimeError, match="slack_ops") as raised:
        asyncio.run(tell_late("YellowLive Store1", 60, "slack_ops", None, LATE))
    said = [record.getMessage() for record in caplog.records if record.name == "airflow_plugin.operators.notifier"]
    assert len(said) == 1
    assert "nobody was notified" in said[0]
    assert "slack_ops" in said[0]
    stored = "".join(traceback.format_exception(raised.value))  # as Airflow keeps it of a callback
    assert not [text for text in (said[0], stored) if "the-secret" in text or "invalid_token" in text]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("connection", "channel"), [("slack_ops", None), ("slack_api", "#ops")])
def test_a_redirect_takes_neither_message_nor_token_to_another_server(slack, caplog, status, connection, channel):
    other = Slack()
    other.answer = '{"ok": true}'
    slack.status, slack.location = status, f"{other.address}/elsewhere/the-secret-path"
    try:
        NotifyFailure("YellowLive Store1", Notifier(connection, channel))(failed("killed"))
        with pytest.raises(RuntimeError, match=connection) as raised:
            asyncio.run(tell_late("YellowLive Store1", 60, connection, channel, LATE))
    finally:
        other.close()
    assert other.asked == []
    assert [method for method, *_ in slack.asked] == ["POST", "POST"]
    for said in (caplog.messages[-1], str(raised.value)):
        assert "nobody was notified" in said
        assert f"redirects to {other.address}" in said
        assert "the-secret" not in said


def test_an_answer_of_slack_s_api_that_is_no_ok_is_an_error(slack, caplog):
    for answer in ('{"ok": false, "error": "channel_not_found"}', "ok", "[1]", "[" * 100_000, "\xff"):
        slack.answer = answer
        NotifyFailure("YellowLive Store1", Notifier("slack_api", "#ops"))(failed("killed"))
        assert "nobody was notified" in caplog.messages[-1]


def test_a_proxy_of_the_connection_is_asked(slack, monkeypatch):
    proxy = Slack()
    monkeypatch.setenv(
        "AIRFLOW_CONN_SLACK_OPS", json.dumps({**json.loads(slack.webhook), "extra": {"proxy": proxy.address}})
    )
    try:
        NOTICE(failed("killed"))
    finally:
        proxy.close()
    assert slack.asked == []
    assert [path for _, path, _ in proxy.asked] == [f"{slack.address}/services/the-secret"]


def test_without_the_provider_the_log_says_what_to_install_and_the_task_s_own_error_stays(
    airflow_here, monkeypatch, caplog
):
    monkeypatch.setitem(sys.modules, "airflow.providers.slack.hooks.slack_webhook", None)
    caplog.set_level(logging.ERROR)
    NOTICE(failed("killed"))
    assert "nobody was notified: install apache-airflow-providers-slack where Airflow runs" in caplog.text
    with pytest.raises(RuntimeError, match="install apache-airflow-providers-slack"):
        asyncio.run(tell_late("YellowLive Store1", 60, "slack_ops", None, LATE))
