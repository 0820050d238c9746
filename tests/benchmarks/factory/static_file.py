"""The old way: a DAG file generated for each stream, with a pod, a branch by its log, and a trigger of itself."""

from __future__ import annotations

from airflow_plugin.rows.plan import DagPlan

TEXT = '''\
"""Ingestion of {stream_key}; generated."""

import re
from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from kubernetes import client as k8s

default_args = {{
    "owner": {owner!r},
    "retries": {retries},
    "retry_delay": timedelta(minutes=1),
}}

dag = DAG(
    {dag_id!r},
    default_args=default_args,
    description="Ingestion of {stream_key}",
    schedule={schedule!r},
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags={tags!r},
)

env_vars = [
{variables}
]

job = KubernetesPodOperator(
    task_id="snapshot_merge_job",
    name={name!r},
    namespace={namespace!r},
    image={image!r},
    image_pull_policy="Always",
    arguments={arguments!r},
    env_vars=env_vars,
    do_xcom_push=False,
    get_logs=True,
    on_finish_action="delete_pod",
    dag=dag,
)


def parsed_result(**context):
    """The result code in the job's log."""
    path = context["ti"].xcom_pull(task_ids="snapshot_merge_job", key="log_path") or ""
    with open(path) as log:
        found = re.findall(r"DATASURFACE_RESULT_CODE=(-?\\d+)", log.read())
    if not found or found[-1] == "-1":
        raise ValueError("the job failed")
    return "reschedule_immediately" if found[-1] == "1" else "wait_for_trigger"


check = BranchPythonOperator(task_id="check_result", python_callable=parsed_result, dag=dag)
again = TriggerDagRunOperator(
    task_id="reschedule_immediately", trigger_dag_id={dag_id!r}, wait_for_completion=False, dag=dag
)
wait = EmptyOperator(task_id="wait_for_trigger", dag=dag)

job >> check >> [again, wait]
'''
VARIABLE = """\
    k8s.V1EnvVar(
        name={name!r},
        value_from=k8s.V1EnvVarSource(secret_key_ref=k8s.V1SecretKeySelector(name={secret!r}, key={key!r})),
    ),"""


def static_file(plan: DagPlan) -> str:
    """The text of the stream's file."""
    assert plan.pod is not None
    secrets = plan.job.secrets
    variables = [VARIABLE.format(name=secret.name, secret=secret.secret, key=secret.key) for secret in secrets]
    return TEXT.format(
        stream_key=plan.job.stream_key,
        owner=plan.owner,
        retries=plan.retries,
        dag_id=plan.dag_id,
        schedule=plan.schedule,
        tags=list(plan.tags),
        variables="\n".join(variables),
        name=plan.pod.name,
        namespace=plan.pod.namespace,
        image=plan.pod.image,
        arguments=list(plan.job.arguments),
    )
