"""The texts of a platform's files, from the model. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

from airflow_plugin.factory.factory_file import factory_file
from airflow_plugin.settings import PlatformSettings
from config_schema import names
from config_schema.model import Platform, Runner


def platform_files(platform: Platform, shards: int = 1) -> dict[PurePosixPath, str]:
    """The files' texts by their paths below the folder of --out; the streams are split over `shards` factory files."""
    short = names.platform_name(platform.name)
    numbers = range(1, shards + 1)
    return {
        PurePosixPath("dags", names.factory_file(short, number, shards)): factory_file(platform.name, number, shards)
        for number in numbers
    } | {
        PurePosixPath("settings", names.settings_file(short)): platform_settings(platform).to_json(),
    }


def platform_settings(platform: Platform) -> PlatformSettings:
    """What the model says of a platform; rows that ask for anything else are set aside by the factory."""
    runners = {Runner.KUBERNETES.value, platform.runner.value}
    return PlatformSettings(
        original_platform_name=platform.name,
        platform_name=names.platform_name(platform.name),
        namespace_name=platform.namespace,
        datasurface_docker_image=platform.image,
        git_repo_url=platform.model.url,
        git_repo_branch=platform.model.branch,
        merge_store_schema=platform.merge_store.schema,
        runners=tuple(sorted(runners)),
    )
