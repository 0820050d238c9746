"""The contents of a platform's files, from the model. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from airflow_plugin.bootstrap.kubernetes_files import kubernetes_files
from airflow_plugin.factory.factory_file import factory_file
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.sync.graph import stream_graph
from config_schema import names
from config_schema.load import Model
from config_schema.model import Database, Platform, SourceKind
from config_schema.tls import Tls, ca_secret, is_local


def platform_files(
    platform: Platform,
    model: Model,
    shards: int = 1,
    before: PlatformSettings | None = None,
    *,
    bundle: bool = False,
) -> dict[PurePosixPath, str]:
    """Return the files' contents by their paths below --out; `shards` is the number of factory files.

    Settings that the model does not decide are kept from `before`. `bundle`: the chart's own Airflow loads the
    platform by its bundle; the factory files are for others.
    """
    short = names.platform_name(platform.name)
    numbers = range(1, shards + 1)
    settings = platform_settings(platform, model, before)
    files = {
        PurePosixPath("dags", names.factory_file(short, number, shards)): factory_file(platform.name, number, shards)
        for number in numbers
    } | {
        settings_path(platform): settings.to_json(),
    }
    return files | kubernetes_files(platform, settings, files, bundle=bundle)


def settings_path(platform: Platform) -> PurePosixPath:
    """Return the path of the settings file, below --out."""
    return PurePosixPath("settings", names.settings_file(names.platform_name(platform.name)))


def platform_settings(platform: Platform, model: Model, before: PlatformSettings | None = None) -> PlatformSettings:
    """Return a platform's settings by the model; the factory quarantines rows that ask for anything else."""
    configs = stream_graph(model.ecosystem, model.mappings)[platform.name].values()
    sources = [model.ecosystem.datastore(store).source for store in dict.fromkeys(c.store_name for c in configs)]
    streams, consumers = platform.streams, platform.consumer_db
    return replace(
        before or PlatformSettings(original_platform_name=platform.name),
        namespace_name=platform.namespace,
        datasurface_docker_image=platform.image,
        git_repo_url=platform.model.url,
        git_repo_branch=platform.model.branch,
        git_credential_secret_name=platform.model.credential,
        environment=model.environment,
        model_is_code=True if model.is_code else None,
        postgres_hostname=platform.merge_store.host,
        postgres_port=platform.merge_store.port,
        postgres_database=platform.merge_store.database,
        postgres_credential_secret_name=platform.merge_store.credential,
        postgres_tls=_store_tls(platform, before),
        postgres_tls_ca=platform.merge_store.tls_ca,
        tls_ca_names=_ca_names(platform.merge_store, *filter(None, [consumers]), *sources),
        merge_store_schema=platform.merge_store.schema,
        consumer_db_hostname=consumers.host if consumers else None,
        consumer_db_port=consumers.port if consumers else None,
        consumer_db_database=consumers.database if consumers else None,
        consumer_db_credential_secret_name=consumers.credential if consumers else None,
        consumer_reader_secret_name=platform.consumer_reader,
        slack_credential_secret_name=platform.slack_credential,
        source_credential_secret_names=tuple(sorted({source.credential for source in sources})),
        source_hosts=tuple(sorted({f"{source.host}:{source.port}" for source in sources if not source.is_on_disk})),
        source_files=tuple(sorted(_files(platform, sources))),
        source_credential_hosts=_hosts_by_credential(sources),
        schedule=platform.schedule,
        schedule_assets=tuple(sorted({asset for config in configs for asset in config.schedule_assets})),
        service_account=streams.service_account,
        image_pull_policy=streams.image_pull_policy,
        pool=streams.pool,
        priority=streams.priority,
        time_slice_seconds=streams.time_slice_seconds,
        runners=(platform.runner.value,),
    )


def _files(platform: Platform, sources: Iterable[Database]) -> set[str]:
    """Return the files that the platform's jobs read, and folders of files, or of a lake, with / at their end."""
    found = {
        source.database if source.kind is SourceKind.SQLITE else source.database.rstrip("/") + "/"
        for source in sources
        if source.is_on_disk and source.database[:1] == "/"
    }
    return found if platform.lake is None else {*found, platform.lake.warehouse.removeprefix("file://") + "/"}


def _hosts_by_credential(sources: Iterable[Database]) -> dict[str, tuple[str, ...]]:
    """Return the servers that get each secret: none for one that only files have, which need no login."""
    found: dict[str, set[str]] = {}
    for source in sources:
        hosts = found.setdefault(source.credential, set())
        if not source.is_on_disk:
            hosts.add(f"{source.host}:{source.port}")
    return {credential: tuple(sorted(found[credential])) for credential in sorted(found)}


def _store_tls(platform: Platform, before: PlatformSettings | None) -> str | None:
    """Return the model's mode, otherwise the former one; a new platform gets TLS unless its store is local."""
    store = platform.merge_store
    if store.tls is not None:
        return store.tls.value
    if before is not None:
        return before.postgres_tls
    return None if is_local(store.host) else Tls.REQUIRE.value


def _ca_names(*databases: Database) -> tuple[str, ...] | None:
    """Return the CAs' names; None if there is none, as an older plugin does not know the key."""
    return tuple(sorted({name for one in databases if (name := ca_secret(one.tls_ca))})) or None
