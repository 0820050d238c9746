"""Ingests Store1 into YellowLive. As a generator wrote it for Airflow 2.8."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.operators.python import BranchPythonOperator
from airflow.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.cncf.kubernetes.operators.kubernetes_pod import KubernetesPodOperator
from kubernetes.client import models as k8s

default_args = {
    "owner": "ingestion",
    "depends_on_past": False,
    "start_date": datetime(2025, 7, 1),
    "email_on_failure": False,
    "retries": 1,
    "retry_delay": timedelta(minutes=5),
}

dag = DAG(
    "yellowlive__Store1_ingestion",
    default_args=default_args,
    description="Ingestion of yellowlive__Store1",
    schedule="@hourly",
    catchup=False,
    tags=["ingestion", "yellowlive", "Store1"],
)

env_vars = [
    k8s.V1EnvVar(name="DATASURFACE_PLATFORM_NAME", value="yellowlive"),
    k8s.V1EnvVar(name="DATASURFACE_NAMESPACE", value="ns-yellow-live"),
    k8s.V1EnvVar(
        name="postgres_USER",
        value_from=k8s.V1EnvVarSource(secret_key_ref=k8s.V1SecretKeySelector(name="postgres", key="username")),
    ),
    k8s.V1EnvVar(
        name="postgres_PASSWORD",
        value_from=k8s.V1EnvVarSource(secret_key_ref=k8s.V1SecretKeySelector(name="postgres", key="password")),
    ),
    k8s.V1EnvVar(
        name="git_TOKEN",
        value_from=k8s.V1EnvVarSource(secret_key_ref=k8s.V1SecretKeySelector(name="git", key="token")),
    ),
    k8s.V1EnvVar(
        name="slack_TOKEN",
        value_from=k8s.V1EnvVarSource(secret_key_ref=k8s.V1SecretKeySelector(name="slack", key="token")),
    ),
]

env_vars.extend(
    [
        k8s.V1EnvVar(
            name="customer-db_USER",
            value_from=k8s.V1EnvVarSource(secret_key_ref=k8s.V1SecretKeySelector(name="customer-db", key="username")),
        ),
        k8s.V1EnvVar(
            name="customer-db_PASSWORD",
            value_from=k8s.V1EnvVarSource(secret_key_ref=k8s.V1SecretKeySelector(name="customer-db", key="password")),
        ),
    ]
)


def next_action(**context):
    """What the job's log says is to be done next."""
    import os
    import re

    run = context["dag_run"]
    folder = f"/opt/airflow/logs/dag_id={run.dag_id}/run_id={run.run_id}/task_id=snapshot_merge_job"
    attempts = sorted(name for name in os.listdir(folder) if name.startswith("attempt="))
    with open(os.path.join(folder, attempts[-1])) as file:
        found = re.search(r"DATASURFACE_RESULT_CODE=(-?\d+)", file.read())
    code = int(found.group(1)) if found else -1
    if code == 1:
        return "reschedule_immediately"
    if code == 0:
        return "wait_for_trigger"
    raise RuntimeError(f"the job ended with {code}")


job = KubernetesPodOperator(
    task_id="snapshot_merge_job",
    name="yellowlive-store1-job",
    namespace="ns-yellow-live",
    image="registry.example/merge-job:0.1.0",
    cmds=["python", "-m", "datasurface.platforms.yellow.jobs"],
    arguments=[
        "--platform-name",
        "YellowLive",
        "--store-name",
        "Store1",
        "--operation",
        "snapshot-merge",
        "--git-repo-path",
        "/workspace/model",
    ],
    env_vars=env_vars,
    image_pull_policy="Always",
    volumes=[k8s.V1Volume(name="git-workspace", empty_dir=k8s.V1EmptyDirVolumeSource())],
    volume_mounts=[k8s.V1VolumeMount(name="git-workspace", mount_path="/workspace/model", read_only=False)],
    is_delete_operator_pod=True,
    get_logs=True,
    do_xcom_push=False,
    container_resources=k8s.V1ResourceRequirements(requests={"memory": "256Mi", "cpu": "100m"}),
    dag=dag,
)

branch = BranchPythonOperator(task_id="check_result", python_callable=next_action, dag=dag)

reschedule = TriggerDagRunOperator(
    task_id="reschedule_immediately",
    trigger_dag_id="yellowlive__Store1_ingestion",
    conf={"triggered_by": "reschedule"},
    dag=dag,
)

wait = EmptyOperator(task_id="wait_for_trigger", dag=dag)

job >> branch
branch >> [reschedule, wait]
