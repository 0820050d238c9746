"""The pod that the factory's merge task requests, in the same form as a static file's."""

from __future__ import annotations

from typing import Any

from airflow_plugin.images import usual_pull_policy
from airflow_plugin.preview.shown import ShownDag
from airflow_plugin.static_dags.static_pod import SecretKey, StaticPod


def factory_pod(shown: ShownDag) -> StaticPod:
    """Return the pod as Airflow builds it, or as the plan says without Airflow. Raises ValueError without a pod."""
    place = shown.plan.pod
    if place is None:
        raise ValueError("the stream runs as a process")
    if shown.built.pod is not None:
        return pod_of_manifest(shown.built.pod, keep_failed=place.keep_failed, deferrable=place.deferrable)
    return StaticPod(
        image=place.image,
        image_pull_policy=place.image_pull_policy or usual_pull_policy(place.image),
        image_pull_secrets=place.image_pull_secrets,
        namespace=place.namespace,
        service_account=place.service_account,
        arguments=tuple(shown.command()),
        env={one.name: SecretKey(one.secret, one.key) for one in shown.plan.job.secrets},
        resources=place.resources,
        node_selector=place.node_selector,
        tolerations=place.tolerations,
        keep_failed=place.keep_failed,
        deferrable=place.deferrable,
    )


def pod_of_manifest(pod: dict[str, Any], *, keep_failed: bool, deferrable: bool) -> StaticPod:
    """Return a pod by its manifest; what happens to the pod afterwards is not in it."""
    spec = pod["spec"]
    container = spec["containers"][0]
    return StaticPod(
        image=container.get("image"),
        image_pull_policy=container.get("imagePullPolicy") or usual_pull_policy(container.get("image") or ""),
        image_pull_secrets=tuple(one["name"] for one in spec.get("imagePullSecrets") or ()),
        namespace=pod["metadata"].get("namespace"),
        service_account=spec.get("serviceAccountName"),
        command=tuple(container.get("command") or ()),
        arguments=tuple(container.get("args") or ()),
        env={one["name"]: _origin(one) for one in container.get("env") or ()},
        resources=container.get("resources") or None,
        volumes=tuple(spec.get("volumes") or ()),
        mounts=tuple(container.get("volumeMounts") or ()),
        node_selector=spec.get("nodeSelector") or None,
        tolerations=tuple(spec.get("tolerations") or ()),
        keep_failed=keep_failed,
        deferrable=deferrable,
    )


def _origin(variable: dict[str, Any]) -> Any:
    source = variable.get("valueFrom")
    if source is None:
        return variable.get("value", "")
    reference = source.get("secretKeyRef")
    return SecretKey(reference["name"], reference["key"]) if reference else source
