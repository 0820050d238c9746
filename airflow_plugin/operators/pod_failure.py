"""Why a pod gave no result, in words: the first error, not those of cleaning up after it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import PodLaunchFailedException
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodLaunchTimeoutException, PodNotFoundException
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from airflow_plugin.airflow_versions import AirflowTaskTimeout
from config_schema.printable import printable

LAUNCH = (PodLaunchFailedException, PodLaunchTimeoutException)
SPECIFIC = (AirflowTaskTimeout, *LAUNCH, ApiException, HTTPError)


def cause_of(error: BaseException) -> BaseException:
    """Return the most informative error of the chain, otherwise its first AirflowException."""
    chain = list(_chain(error))
    for kind in SPECIFIC:
        for one in reversed(chain):
            if isinstance(one, kind):
                return one
    return next((one for one in reversed(chain) if isinstance(one, AirflowException)), error)


def in_words(error: BaseException) -> str:
    """Return one line for the task's error, without the pod's own description.

    Texts of a server, a registry or a node may contain anything: control characters are escaped.
    """
    return printable(_words(error))


def add_reason(error: PodLaunchFailedException | PodLaunchTimeoutException, pod: k8s.V1Pod) -> None:
    """Add to the error why the pod has not started, as far as its status says so and the error does not."""
    known = str(error)
    reasons = [one for message, one in dict(_reasons(pod.status)).items() if message not in known]
    error.args = (" ".join([known, *(f"{one.rstrip('.')}." for one in reasons)]),)


def _reasons(status: k8s.V1PodStatus) -> Iterator[tuple[str, str]]:
    """Yield what holds the pod up, as the message and in full: an eviction, no node, a Secret that is missing."""
    conditions = [one for one in status.conditions or () if one.status == "False"]
    waiting = [one.state.waiting for one in status.container_statuses or () if one.state and one.state.waiting]
    for one in (status, *(one for one in conditions if one.type == "PodScheduled"), *waiting):
        if one.message:
            yield one.message, f"{one.reason}: {one.message}" if one.reason else one.message


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
