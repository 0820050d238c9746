"""The pod of a job: least rights, a read-only root file system, secrets by reference."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from kubernetes.client import models as k8s

from airflow_plugin.jobs.merge_job import PodJob, PodPlace, SecretVariable, environment_variables
from airflow_plugin.operators.pod_reading import CONTAINER
from config_schema import names
from config_schema.tls import CA_FOLDER, CA_KEY

LABEL_PREFIX = "stream-factory"
RUN_LABEL = f"{LABEL_PREFIX}/run"

SCRATCH_SIZE = "1Gi"  # of an emptyDir: a model and what git needs for it; data go through no file
SCHEDULE_SECONDS = 600  # a cluster may have to add a node first
START_SECONDS = 300  # and that node has to pull the image
START_POLL_SECONDS = 2.0
POLL_SECONDS = 5.0  # of the triggerer


def pod_arguments(job: PodJob, place: PodPlace) -> dict[str, Any]:
    """Return the operator's arguments; a try adds its run id and its token."""
    return {**_pod(job, place), **_container(job, place), **_watching(place)}


def _pod(job: PodJob, place: PodPlace) -> dict[str, Any]:
    kind, value = job.kind
    return {
        "name": place.name,
        "namespace": place.namespace,
        "labels": {
            "app.kubernetes.io/name": "merge-job",
            f"{LABEL_PREFIX}/platform": names.label_value(job.platform_name),
            f"{LABEL_PREFIX}/{kind}": names.label_value(value),
            f"{LABEL_PREFIX}/job": names.job_label(job.platform_name, kind, value),
        },
        "image_pull_secrets": [k8s.V1LocalObjectReference(name=name) for name in place.image_pull_secrets],
        "node_selector": place.node_selector,
        "tolerations": [k8s.V1Toleration(**toleration) for toleration in place.tolerations],
        "volumes": [scratch()[0], *(_tls_ca(name)[0] for name in place.tls_ca_names)],
        "security_context": rights()[0],
        "automount_service_account_token": False,
        **({"service_account_name": place.service_account} if place.service_account else {}),
    }


def _container(job: PodJob, place: PodPlace) -> dict[str, Any]:
    return {
        "base_container_name": CONTAINER,
        "image": place.image,
        "image_pull_policy": place.image_pull_policy,
        "arguments": list(job.arguments),
        "env_vars": [*map(secret_variable, job.secrets), *plain_variables(job), home()],
        "container_resources": k8s.V1ResourceRequirements(**place.resources) if place.resources else None,
        "volume_mounts": [scratch()[1], *(_tls_ca(name)[1] for name in place.tls_ca_names)],
        "container_security_context": rights()[1],
    }


def _watching(place: PodPlace) -> dict[str, Any]:
    """Return how the pod is watched and cleaned up; events are not watched, because that needs more rights."""
    return {
        "deferrable": place.deferrable,
        "on_finish_action": "delete_succeeded_pod" if place.keep_failed else "delete_pod",
        "do_xcom_push": False,
        "get_logs": not place.deferrable,  # else PodReading shows it, without waiting on a stream
        "container_name_log_prefix_enabled": False,
        "log_pod_spec_on_failure": False,
        "log_events_on_startup": not place.deferrable,
        "log_events_on_failure": True,
        "schedule_timeout_seconds": SCHEDULE_SECONDS,
        "startup_timeout_seconds": START_SECONDS,
        "startup_check_interval_seconds": START_POLL_SECONDS,
        "poll_interval": POLL_SECONDS,
        **({"kubernetes_conn_id": place.kubernetes_conn_id} if place.kubernetes_conn_id else {}),
    }


# What many pods have is made once: each of the client's objects copies the client's whole configuration.


@cache
def scratch() -> tuple[k8s.V1Volume, k8s.V1VolumeMount]:
    """Return the volume and the mount of /tmp."""
    return (
        k8s.V1Volume(name="tmp", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit=SCRATCH_SIZE)),
        k8s.V1VolumeMount(name="tmp", mount_path="/tmp"),
    )


@lru_cache
def _tls_ca(name: str) -> tuple[k8s.V1Volume, k8s.V1VolumeMount]:
    """Return a volume with only the CA certificates of a Secret or ConfigMap, whichever exists, and its mount."""
    item = [k8s.V1KeyToPath(key=CA_KEY, path=CA_KEY)]
    sources = [
        k8s.V1VolumeProjection(secret=k8s.V1SecretProjection(name=name, items=item, optional=True)),
        k8s.V1VolumeProjection(config_map=k8s.V1ConfigMapProjection(name=name, items=item, optional=True)),
    ]
    volume = names.tls_volume(name)
    return (
        k8s.V1Volume(name=volume, projected=k8s.V1ProjectedVolumeSource(sources=sources)),
        k8s.V1VolumeMount(name=volume, mount_path=f"{CA_FOLDER}/{name}", read_only=True),
    )


@cache
def rights() -> tuple[k8s.V1PodSecurityContext, k8s.V1SecurityContext]:
    """Return the security contexts of the pod and of its container."""
    of_pod = k8s.V1PodSecurityContext(run_as_non_root=True, seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"))
    of_container = k8s.V1SecurityContext(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=k8s.V1Capabilities(drop=["ALL"]),
    )
    return of_pod, of_container


def plain_variables(job: PodJob) -> list[k8s.V1EnvVar]:
    """Return the variables of the job that are no secrets."""
    return [k8s.V1EnvVar(name=name, value=value) for name, value in environment_variables(job).items()]


@cache
def home() -> k8s.V1EnvVar:
    """Return the variable HOME."""
    return k8s.V1EnvVar(name="HOME", value="/tmp")


@lru_cache
def secret_variable(secret: SecretVariable) -> k8s.V1EnvVar:
    """Return a variable whose value is a key of a Secret."""
    reference = k8s.V1SecretKeySelector(name=secret.secret, key=secret.key, optional=secret.optional or None)
    return k8s.V1EnvVar(name=secret.name, value_from=k8s.V1EnvVarSource(secret_key_ref=reference))
