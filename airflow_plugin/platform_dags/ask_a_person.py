"""The task that asks a person to approve a delete that a batch was refused for: Airflow's human in the loop."""

from __future__ import annotations

import re
from datetime import timedelta
from inspect import signature
from typing import TYPE_CHECKING, Any

from airflow_plugin.airflow_versions import AirflowFailException, AirflowSkipException
from airflow_plugin.jobs.operations import BY, LONGEST, REASON, Action, Operation
from airflow_plugin.operators.platform_operator import OfPlatform
from airflow_plugin.platform_dags.operations_tasks import requested_operation

if TYPE_CHECKING:
    from airflow.providers.standard.operators.hitl import HITLOperator
    from airflow.sdk import Context

APPROVE, REJECT = "Approve", "Reject"
ANSWERED_WITHIN = timedelta(days=3)  # after which it counts as rejected


class AskAPerson(OfPlatform):
    """Waits for a person's answer in Airflow's required actions if the request needs one; otherwise does nothing."""

    ui_color = "#fff6d8"

    def execute(self, context: Context) -> None:
        """Ask, and wait without a worker."""
        asked = requested_operation(context)
        if asked.action is Action.ASK_DELETE:
            _ask(self._question(asked), context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, str]:
        """Return who approved it, and why. Raises AirflowSkipException if it was rejected."""
        asked = requested_operation(context)
        answer = self._question(asked).execute_complete(context, event)
        user = answer["responded_by_user"] or {}
        by = _line(user.get("name") or user.get("id"), LONGEST[BY])
        if answer["chosen_options"] != [APPROVE]:
            raise AirflowSkipException(f"{asked.stream_key}: rejected by {by or 'nobody, as no answer came in time'}")
        if not by:
            raise AirflowFailException(f"{asked.stream_key}: approved, and Airflow does not say by whom")
        reason = _line((answer["params_input"] or {}).get(REASON), LONGEST[REASON])
        return {BY: by} | ({REASON: reason} if reason else {})

    def _question(self, asked: Operation) -> HITLOperator:
        """Return Airflow's own operator, made when it is needed: a parse does not load it."""
        from airflow.providers.standard.operators.hitl import HITLOperator
        from airflow.sdk import Param

        return HITLOperator(
            task_id=self.task_id,
            subject=f"Approve deletes of {self.platform} {asked.stream_key}?",
            body=question(asked),
            options=[APPROVE, REJECT],
            defaults=REJECT,
            params={REASON: Param("", type=["null", "string"], maxLength=LONGEST[REASON], title="Reason")},
            **_answered_within(HITLOperator),
        )


def _answered_within(operator: type[HITLOperator]) -> dict[str, Any]:
    """Return the argument that says how long a person may take: older providers have none of its own."""
    own = "response_timeout"
    return {own if own in signature(operator.__init__).parameters else "execution_timeout": ANSWERED_WITHIN}


def _ask(question: HITLOperator, context: Context) -> None:
    """Let Airflow's operator ask; Airflow would warn of an operator that another one executes."""
    execute = type(question).execute
    getattr(execute, "__wrapped__", execute)(question, context)


def question(asked: Operation) -> str:
    """Return what a person has to know: Markdown, in which names of data are code."""
    rows = f"{asked.rows} rows" if asked.rows else "more rows than its stream allows"
    of = f" of {_code(asked.dataset)}" if asked.dataset else ""
    batch = f"Batch {asked.batch}" if asked.batch else "The last batch"
    return (
        f"{batch} of {_code(str(asked.stream_key))} was refused: it would delete {rows}{of}. Check the source. "
        "Approve it if the rows were deleted there on purpose: the next run, which starts at once, goes on with it. "
        "A batch that would delete more is refused again."
    )


def _code(text: str) -> str:
    """Return a name as code of Markdown: no backtick in it ends that, so that it makes no link."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def _line(text: object, longest: int) -> str:
    """Return a text as one printable line that a conf may hold."""
    return "".join(one if one.isprintable() else " " for one in str(text or ""))[:longest].strip()
