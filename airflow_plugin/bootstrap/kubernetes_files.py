"""What a platform with jobs in pods also needs: values for the chart, and the list of its secrets. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from airflow_plugin.settings import PlatformSettings
from config_schema import names
from config_schema.model import Platform, Runner

FOLDER = PurePosixPath("kubernetes")
AIRFLOW_NAMESPACE = "airflow"
DSN_SECRET = "stream-factory-dsn"
BUNDLE = "bundle: true"  # the chart's own Airflow parses only what has changed
LOGIN = ("username", "password")
CA = ("ca.crt",)

VALUES = """\
# Platform {original} for the chart (helm/), written by dagfactory bootstrap: give it with --values, beside the files
# of other platforms and values of your own. To change a setting, change the settings file and run bootstrap again.
platforms:
  {platform}:
    settings: |
{settings}{bundle}    factoryFiles:
{factory_files}"""

SECRETS = """\
# Secrets of platform {original}

To be there before its first merge, unless the chart makes them from its value `secrets`. What is secret stands in no
file here: write NAME.env with a line KEY=VALUE for each key, so that it stands in no command line either.

| secret | namespace | keys | who uses it |
|---|---|---|---|
{rows}

```sh
{commands}
```

`{dsn}` is one secret with such a key for each platform; its name is the chart's value `dsnSecret`. A login of its own
for each component: `dagfactory bootstrap --roles`, a secret of each file that it writes, and their names in the chart's
`dsnSecrets`. In its own PostgreSQL the chart makes the logins and these secrets. `{airflow}` stands for the namespace
of Airflow.
"""


@dataclass(frozen=True)
class Secret:
    """A secret to create, and its purpose."""

    name: str
    namespace: str
    keys: tuple[str, ...]
    purpose: str

    @property
    def row(self) -> str:
        """Return the secret's line in the list of secrets."""
        keys = ", ".join(f"`{key}`" for key in self.keys)
        return f"| `{self.name}` | `{self.namespace}` | {keys} | {self.purpose} |"

    @property
    def command(self) -> str:
        """Return the kubectl command that creates the secret."""
        if self.keys == CA:  # no secret, and the lines of a certificate fit into no .env file
            return (
                f"kubectl --namespace {self.namespace} create configmap {self.name} --from-file=ca.crt={self.name}.crt"
            )
        return f"kubectl --namespace {self.namespace} create secret generic {self.name} --from-env-file={self.name}.env"


def kubernetes_files(
    platform: Platform, settings: PlatformSettings, files: Mapping[PurePosixPath, str], *, bundle: bool
) -> dict[PurePosixPath, str]:
    """Return the texts by their paths below --out; empty for other runners. `files` are the platform's other files."""
    if platform.runner is not Runner.KUBERNETES:
        return {}
    short = settings.platform_name
    return {
        FOLDER / names.chart_values_file(short): _values(settings, files, bundle),
        FOLDER / names.secrets_file(short): _secrets(settings),
    }


def _values(settings: PlatformSettings, files: Mapping[PurePosixPath, str], bundle: bool) -> str:
    factory_files = (
        f"      {path.name}: |\n{_indented(text, 8)}" for path, text in sorted(files.items()) if path.suffix == ".py"
    )
    return VALUES.format(
        original=settings.original_platform_name,
        platform=settings.platform_name,
        settings=_indented(settings.to_json(), 6),
        bundle=f"    {BUNDLE}\n" if bundle else "",
        factory_files="".join(factory_files),
    )


def has_bundle(values: str) -> bool:
    """Return whether a platform's existing values file puts it into the bundle of streams."""
    return f"\n    {BUNDLE}\n" in values


def _indented(text: str, spaces: int) -> str:
    return textwrap.indent(text, " " * spaces)


def _secrets(settings: PlatformSettings) -> str:
    secrets = list(_needed(settings))
    namespace = f"kubectl create namespace {settings.namespace_name}"
    return SECRETS.format(
        original=settings.original_platform_name,
        rows="\n".join(secret.row for secret in secrets),
        commands="\n".join((namespace, *(secret.command for secret in secrets))),
        dsn=DSN_SECRET,
        airflow=AIRFLOW_NAMESPACE,
    )


def _needed(settings: PlatformSettings) -> Iterator[Secret]:
    """Yield the platform's secrets; a secret of both stores and producers comes once."""
    namespace = settings.namespace_name or ""
    store = f"{settings.postgres_database} on {settings.postgres_hostname}:{settings.postgres_port}"
    purposes = {str(settings.postgres_credential_secret_name): f"merge jobs and sync: the merge store {store}"}
    for name in settings.source_credential_secret_names or ():
        before = f"{purposes[name]}; " if name in purposes else "merge jobs: "
        purposes[name] = f"{before}producers' databases"
    for name, purpose in purposes.items():
        yield Secret(name, namespace, LOGIN, purpose)
    consumers = f"{settings.consumer_db_database} on {settings.consumer_db_hostname}:{settings.consumer_db_port}"
    for secret, purpose in (
        (settings.consumer_db_credential_secret_name, f"views: consumers' database {consumers}"),
        (settings.consumer_reader_secret_name, f"views: by which that database reads the merge store {store}"),
    ):
        if secret is not None and secret not in purposes:
            yield Secret(secret, namespace, LOGIN, purpose)
    repository = f"merge jobs and sync: the model, {settings.git_repo_url}; none is needed if anybody may read it"
    yield Secret(str(settings.git_credential_secret_name), namespace, ("token",), repository)
    for name in settings.tls_ca_names or ():
        purpose = (
            "CA certificates that servers are verified by; may be a ConfigMap, and the chart's own is there already"
        )
        yield Secret(name, namespace, CA, f"merge jobs and sync: {purpose}")
        if name == settings.postgres_tls_ca:
            yield Secret(name, AIRFLOW_NAMESPACE, CA, f"Airflow: {purpose}")
    key = names.dsn_variable(settings.platform_name)
    yield Secret(DSN_SECRET, AIRFLOW_NAMESPACE, (key,), f"Airflow: the rows, `postgresql://...` of {store}")
    for name in sorted(settings.notifiers):
        yield Secret(name, AIRFLOW_NAMESPACE, ("token",), "Airflow: who is notified of failures")
