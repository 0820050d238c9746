"""Ingests Store1 into YellowForensic: Airflow 3, everything that repeats in constants."""

import pendulum
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.utils.pod_manager import OnFinishAction
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG
from kubernetes.client import models as k8s

PLATFORM = "YellowForensic"
STORE = "Store1"
DAG_ID = f"{PLATFORM.lower()}__{STORE}_ingestion"
NAMESPACE = "ns-" + "yellow-forensic"
REGISTRY, TAG = "registry.example", "0.1.0"
MEMORY = {"memory": "1Gi"}
SECRETS = (("postgres", "username"), ("postgres", "password"), ("customer-db", "username"), ("customer-db", "password"))


def secret_variable(secret, key):
    """A variable that has its value from a secret."""
    return k8s.V1EnvVar(
        name=f"{secret.replace('-', '_')}_{key}".upper(),
        value_from=k8s.V1EnvVarSource(secret_key_ref=k8s.V1SecretKeySelector(name=secret, key=key)),
    )


def next_action(ti):
    return ti.xcom_pull(task_ids="snapshot_merge_job")


with DAG(
    dag_id=DAG_ID,
    schedule="*/10 * * * *",
    start_date=pendulum.datetime(2025, 7, 1, tz="Europe/Zurich"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2},
    tags=["audit", PLATFORM, STORE],
):
    job = KubernetesPodOperator(
        task_id="snapshot_merge_job",
        namespace=NAMESPACE,
        image=f"{REGISTRY}/merge-job:{TAG}",
        cmds=["python", "-m", "datasurface.platforms.yellow.jobs"],
        arguments=[f"--platform-name={PLATFORM}", f"--store-name={STORE}", "--operation=snapshot-merge"],
        env_vars=[secret_variable(secret, key) for secret, key in SECRETS] + [secret_variable("git", "token")],
        volumes=[k8s.V1Volume(name="git-workspace", empty_dir=k8s.V1EmptyDirVolumeSource())],
        volume_mounts=[k8s.V1VolumeMount(name="git-workspace", mount_path="/workspace/model")],
        container_resources=k8s.V1ResourceRequirements(requests=MEMORY, limits=MEMORY | {"cpu": "1"}),
        on_finish_action=OnFinishAction.DELETE_SUCCEEDED_POD,
        service_account_name="ingestion",
        node_selector={"disk": "ssd"},
    )
    check = BranchPythonOperator(task_id="check_result", python_callable=next_action)
    again = TriggerDagRunOperator(task_id="reschedule_immediately", trigger_dag_id=DAG_ID)
    wait = EmptyOperator(task_id="wait_for_trigger")
    job >> check >> [again, wait]
