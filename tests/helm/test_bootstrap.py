"""What `dagfactory bootstrap` writes, given to helm as it is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from typer.testing import CliRunner

from airflow_plugin.cli.program import app
from tests.helm.chart import FOLDER, Helm, Object, by_kind, one, place, provided, references
from tests.helm.platforms import EXAMPLE, OWN_POSTGRES

OWN = """\
dsnSecret: stream-factory-dsn
airflow:
  serviceAccounts: [{name: airflow-scheduler}]
"""


@pytest.fixture
def bootstrapped(tmp_path: Path) -> Path:
    """The folder that bootstrap wrote of the example, its databases in the chart's PostgreSQL."""
    model = tmp_path / "model"
    shutil.copytree(EXAMPLE, model)
    path = model / "ecosystem.yaml"
    path.write_text(path.read_text().replace("host: pg-data", f"host: {OWN_POSTGRES}"))
    done = CliRunner().invoke(app, ["bootstrap", "--model", str(model), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    return tmp_path / "out"


def objects(helm: Helm, folder: Path, own: Path) -> list[Object]:
    values = sorted((folder / "kubernetes").glob("*.values.yaml"))
    assert len(values) == 2
    return [found for found in yaml.safe_load_all(helm.from_files(*values, own)) if found]


def test_the_two_platform_mvp_is_rendered_from_what_bootstrap_writes(helm: Helm, bootstrapped: Path) -> None:
    found = objects(helm, bootstrapped, FOLDER / "mvp-values.yaml")
    for each in found:
        kubernetes_validate.validate(each, "1.34", strict=True)
    assert {job["metadata"]["namespace"] for job in by_kind(found, "CronJob")} == {
        "ns-yellow-live",
        "ns-yellow-forensic",
    }
    data = one(found, "ConfigMap", "stream-factory-platforms")["data"]
    settings, files = (
        {path.name: path.read_text() for path in (bootstrapped / kind).iterdir()} for kind in ("settings", "dags")
    )
    assert data.keys() == {".airflowignore", *settings, *files}
    assert {name: data[name] for name in settings} == settings
    # New platforms are in the bundle of the chart's Airflow: of the factory files no parse makes a DAG.
    assert all("publish_file(globals(), platform=" in data[name] for name in files)
    # The token of a repository that anybody may read is not needed.
    assert {key for _, _, _, key in references(found) - provided(found)} == {"token"}


def test_the_listed_secrets_are_those_that_pods_need_and_the_chart_does_not_make(
    helm: Helm, bootstrapped: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    found = objects(helm, bootstrapped, own)
    assert not by_kind(found, "Secret")
    listed = {
        ("Secret", namespace, name, key)
        for file in (bootstrapped / "kubernetes").glob("*.secrets.md")
        for name, namespace, keys in re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (.*?) \|", file.read_text(), re.M)
        for key in re.findall("`([^`]+)`", keys)
    }
    missing = references(found) - provided(found)
    # Merge pods are not the chart's: they read producers besides, and Airflow, here another's, reads the rows.
    others = {(namespace, name) for _, namespace, name, _ in listed - missing}
    assert missing <= listed
    assert others == {
        ("airflow", "stream-factory-dsn"),
        ("ns-yellow-live", "customer-db"),
        ("ns-yellow-forensic", "customer-db"),
    }


def test_each_command_names_a_secret_of_the_list_and_no_value(bootstrapped: Path) -> None:
    text = (bootstrapped / "kubernetes/yellowlive.secrets.md").read_text()
    listed = set(re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", text, re.M))
    commands = re.findall(
        r"kubectl --namespace (\S+) create secret generic (\S+) --from-env-file=(\S+)\.env$", text, re.M
    )
    assert {(name, namespace) for namespace, name, _ in commands} == listed
    assert all(name == file for _, name, file in commands)
    assert "--from-literal" not in text


def test_platforms_are_merged_whatever_the_order_of_their_files(helm: Helm, bootstrapped: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    first, second = sorted((bootstrapped / "kubernetes").glob("*.values.yaml"))
    texts = [helm.from_files(*files) for files in ((first, second, own), (own, second, first))]
    assert texts[0] == texts[1]
    namespaces = {namespace for _, namespace, _ in map(place, yaml.safe_load_all(texts[0]))}
    assert namespaces == {"airflow", "ns-yellow-live", "ns-yellow-forensic"}


@pytest.mark.parametrize("page", ["helm/README.md", "docs/kubernetes.md"])
def test_the_values_files_that_pages_name_are_written_by_bootstrap_or_are_in_the_chart(bootstrapped, page):
    text = (FOLDER.parent / page).read_text("utf-8")
    named = set(re.findall(r"--values ([\w./-]+)", text)) - {"own.yaml"}  # which the page tells how to write
    assert named
    written = {f"platform/{path.relative_to(bootstrapped)}" for path in bootstrapped.rglob("*.yaml")}
    assert {name for name in named - written if not (FOLDER.parent / name).exists()} == set()
