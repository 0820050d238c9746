"""Why a pod gave no result, in words: what went wrong first, not what went wrong while cleaning up after it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import PodLaunchFailedException
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodLaunchTimeoutException, PodNotFoundException
from airflow.sdk.exceptions import AirflowException
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from airflow_plugin.airflow_versions import AirflowTaskTimeout
from config_schema.printable import printable

SPECIFIC = (AirflowTaskTimeout, PodLaunchFailedException, PodLaunchTimeoutException, ApiException, HTTPError)


def cause_of(error: BaseException) -> BaseException:
    """Return the most telling error of the chain, or else its first AirflowException."""
    chain = list(_chain(error))
    for kind in SPECIFIC:
        for one in reversed(chain):
            if isinstance(one, kind):
                return one
    return next((one for one in reversed(chain) if isinstance(one, AirflowException)), error)


def in_words(error: BaseException) -> str:
    """Return one line for the task's error; nothing of the pod's own description.

    A server's, a registry's or a node's words may hold anything: what controls a log is escaped.
    """
    return printable(_words(error))


def _words(error: BaseException) -> str:
    if isinstance(error, PodNotFoundException) or (isinstance(error, ApiException) and error.status == 404):
        return "its pod is gone: it was deleted, or its node was lost. What it had committed stands"
    if isinstance(error, PodLaunchFailedException | PodLaunchTimeoutException):
        return f"its pod did not start. {error}"
    if isinstance(error, ApiException):
        return f"the Kubernetes API answered {error.status} {error.reason}. {_message(error)}".rstrip()
    if isinstance(error, HTTPError):
        return f"no answer of the Kubernetes API ({type(error).__name__})"
    return str(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def _message(error: ApiException) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return ""
