"""Ours and dag-factory's with the very same operators: the merge task is a KubernetesPodOperator, made in the parse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_plugin.factory import build
from airflow_plugin.factory import publish as publish_platform
from airflow_plugin.jobs.merge_job import MergeJob, PodPlace, SecretVariable
from airflow_plugin.operators.assets import stream_alias
from airflow_plugin.operators.kubernetes import KubernetesMergeOperator

Given = Mapping[str, Any]


class PodTask(KubernetesMergeOperator):
    """Takes what a plan has, and the same as mappings and lists, as YAML has it."""

    def __init__(self, *, job: MergeJob | Given, place: PodPlace | Given, **kwargs: Any) -> None:
        if not isinstance(job, MergeJob):
            job = _job(job)
            kwargs["outlets"] = [stream_alias(job.platform, job.stream_key)]  # YAML has no word for it
        place = place if isinstance(place, PodPlace) else PodPlace(**place)
        super().__init__(job=job, place=place, **kwargs)


def publish(namespace: dict[str, Any], **arguments: Any) -> None:
    """What the factory does, but with PodTask where it has its own light task."""
    build.PodMergeOperator = PodTask  # type: ignore[misc,assignment]
    publish_platform(namespace, **arguments)


def _job(given: Given) -> MergeJob:
    return MergeJob(**{**given, "secrets": tuple(SecretVariable(**secret) for secret in given["secrets"])})
