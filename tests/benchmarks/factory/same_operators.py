"""Ours and dag-factory's with the very same operators: the merge task is a KubernetesPodOperator, made in the parse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_plugin.factory import build
from airflow_plugin.factory import publish as publish_platform
from airflow_plugin.operators.kubernetes import KubernetesMergeOperator
from airflow_plugin.operators.merge_job import MergeJob, PodPlace, SecretVariable

Given = Mapping[str, Any]


class PodTask(KubernetesMergeOperator):
    """Takes what a plan has, and the same as mappings and lists, as YAML has it."""

    def __init__(
        self, *, job: MergeJob | Mapping[str, Any], place: PodPlace | Mapping[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(
            job=job if isinstance(job, MergeJob) else _job(job),
            place=place if isinstance(place, PodPlace) else PodPlace(**place),
            **kwargs,
        )


def publish(namespace: dict[str, Any], **arguments: Any) -> None:
    """What the factory does, but with PodTask where it has its own light task."""
    build.PodMergeOperator = PodTask  # type: ignore[misc,assignment]
    publish_platform(namespace, **arguments)


def _job(given: Given) -> MergeJob:
    return MergeJob(**{**given, "secrets": tuple(SecretVariable(**secret) for secret in given["secrets"])})
