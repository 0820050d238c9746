"""A model that is code is compiled before a sync: fetched in one container, run in another one that has no secrets."""

from __future__ import annotations

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import models as k8s

from airflow_plugin.jobs.merge_job import PodPlace
from airflow_plugin.jobs.platform_job import DAGFACTORY, PlatformJob
from airflow_plugin.operators.pod_request import SCRATCH_SIZE, home, plain_variables, rights, scratch, secret_variable

MODEL, COMPILED, OWN_SCRATCH = "/model", "/compiled", "compile-tmp"
# In the volume, whose own folder is root's: git reads no repository in a folder of somebody else.
CHECKOUT = f"{MODEL}/checkout"
COMPILED_FILE = f"{COMPILED}/model.json"
COMPILED_VARIABLE = "DAGFACTORY_COMPILED_MODEL"


def read_compiled(pod: KubernetesPodOperator) -> None:
    """Let the pod's program run no code of a model: it reads what was compiled, or says that nothing was."""
    pod.env_vars = [*pod.env_vars, k8s.V1EnvVar(name=COMPILED_VARIABLE, value=COMPILED_FILE)]


def compile_first(pod: KubernetesPodOperator, job: PlatformJob, place: PodPlace) -> None:
    """Put the containers that fetch and compile the model before the pod's own."""
    secrets = [] if job.fetch_secret is None else [secret_variable(job.fetch_secret)]
    fetch = _container(place, "fetch-model", ["model", "fetch", *job.fetch, f"--out={CHECKOUT}"], secrets)
    fetch.volume_mounts = [scratch()[1], _mount(MODEL, read_only=False)]
    compile_ = _container(
        place, "compile-model", ["model", "compile", CHECKOUT, f"--out={COMPILED_FILE}"], plain_variables(job)
    )
    # Its /tmp is its own: what lies there, the home folder among it, would be read by programs that have secrets.
    own_scratch = k8s.V1VolumeMount(name=OWN_SCRATCH, mount_path=scratch()[1].mount_path)
    compile_.volume_mounts = [own_scratch, _mount(MODEL, read_only=True), _mount(COMPILED, read_only=False)]
    pod.init_containers = [fetch, compile_]
    pod.volumes += [
        k8s.V1Volume(name=name, empty_dir=k8s.V1EmptyDirVolumeSource(size_limit=SCRATCH_SIZE))
        for name in (MODEL[1:], COMPILED[1:], OWN_SCRATCH)
    ]
    pod.volume_mounts.append(_mount(COMPILED, read_only=True))


def _container(place: PodPlace, name: str, arguments: list[str], variables: list[k8s.V1EnvVar]) -> k8s.V1Container:
    return k8s.V1Container(
        name=name,
        image=place.image,
        image_pull_policy=place.image_pull_policy,
        command=[DAGFACTORY],
        args=arguments,
        env=[*variables, home()],
        resources=k8s.V1ResourceRequirements(**place.resources) if place.resources else None,
        security_context=rights()[1],
    )


def _mount(path: str, *, read_only: bool) -> k8s.V1VolumeMount:
    return k8s.V1VolumeMount(name=path[1:], mount_path=path, read_only=read_only or None)
