"""A DAG for each dataset of Store2, made in a loop; as people changed what a generator wrote."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.kubernetes.secret import Secret

try:
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
except ImportError:
    from airflow.contrib.operators.kubernetes_pod_operator import KubernetesPodOperator

PLATFORM = "YellowLive"
STORE = "Store2"
default_args = dict(  # noqa: C408
    owner="shop", retries=0, execution_timeout=timedelta(minutes=30)
)
default_args["pool"] = "ingestion"
arguments = ["--platform-name", PLATFORM, "--store-name", STORE]
arguments += ["--operation", "snapshot-merge"]

for dataset in ("orders", "customers"):
    dag = DAG(
        "%s__%s__%s_ingestion" % (PLATFORM.lower(), STORE, dataset),  # noqa: UP031
        default_args=default_args,
        schedule_interval=timedelta(minutes=15),
        start_date=datetime(2024, 1, 1),
        catchup=False,
    )
    KubernetesPodOperator(
        task_id="snapshot_merge_job",
        namespace="ns-yellow-live",
        image="registry.example/merge-job:0.1.0",
        cmds=["python", "-m", "datasurface.platforms.yellow.jobs"],
        arguments=[*arguments, "--dataset-name", dataset],
        secrets=[
            Secret("env", "postgres_USER", "postgres", "username"),
            Secret("env", "postgres_PASSWORD", "postgres", "password"),
            Secret("env", "git_TOKEN", "git", "token"),
        ],
        env_vars={"DATASURFACE_PLATFORM_NAME": PLATFORM, "SHOP_PASSWORD": "not for any log"},
        is_delete_operator_pod=False,
        dag=dag,
    )
