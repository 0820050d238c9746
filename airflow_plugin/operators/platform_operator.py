"""A task that reads a platform's merge store itself, without a job; and our errors as Airflow's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.exceptions import AirflowException

from airflow_plugin.airflow_versions import AirflowFailException
from config_schema.errors import StreamFactoryError


class OfPlatform(BaseOperator):
    """`platform` is its name in the model, by which the worker finds its settings."""

    def __init__(self, *, platform: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.platform = platform


@contextmanager
def raise_as_airflow(said: str) -> Iterator[None]:
    """Fail the task on an error of ours: with retries if that can help, otherwise for good."""
    try:
        yield
    except StreamFactoryError as error:
        if error.retryable:
            raise AirflowException(f"{said}: {error}") from None
        raise AirflowFailException(f"{said}: {error}") from None
