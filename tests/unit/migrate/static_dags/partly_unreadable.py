"""Much of it is known only where it runs."""

import os
from datetime import datetime

from airflow import DAG
from airflow.models import Variable
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

IMAGE = os.environ.get("MERGE_IMAGE", "registry.example/merge-job:0.1.0")


def schedule_of_today():
    if datetime.now().weekday() > 4:
        return "@daily"
    return "@hourly"


dag = DAG(
    "yellowlive__Store3_ingestion",
    schedule=schedule_of_today(),
    start_date=datetime(2025, 1, 1),
    default_args={"retries": int(Variable.get("retries"))},
)

job = KubernetesPodOperator(
    task_id="snapshot_merge_job",
    namespace="ns-yellow-live",
    image=IMAGE,
    arguments=["--platform-name", "YellowLive", "--store-name", "Store3", "--operation", "snapshot-merge"],
    dag=dag,
)
