"""What static files do not contain, from defaults on the command line, a model, or the platform's settings file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_plugin.rows.platform_jobs import NEEDED, NEEDED_IN_PODS
from airflow_plugin.settings import PlatformSettings, platform_settings
from airflow_plugin.sync.graph import stream_graph
from config_schema import names
from config_schema.errors import UnknownName, ValueWrong
from config_schema.load import Model
from config_schema.model import Platform
from config_schema.schemas import json_schema
from config_schema.stream import StreamConfig

# What settings have of a platform, and its rows too.
SETTINGS_KEYS = (*NEEDED_IN_PODS, *NEEDED, "slack_credential_secret_name")


@dataclass(frozen=True)
class FileDefaults:
    """The sources for what a file does not contain, in order."""

    defaults: Mapping[str, Any]
    streams: Mapping[str, Mapping[str, StreamConfig]]  # by platform and stream_key, of a model
    platforms: Mapping[str, Platform]  # of the model

    def platform(self, given: str) -> str:
        """Return the platform's name in the model; old files may have the derived one."""
        return next((name for name in self.platforms if given in (name, names.platform_name(name))), given)

    def of(self, platform: str, stream_key: str) -> dict[str, Any]:
        """Return what is known of a stream without its file. Raises StreamFactoryError for a broken settings file."""
        modelled = self.streams.get(platform, {}).get(stream_key)
        of_model = {} if modelled is None else modelled.to_dict() | {"milestoning": modelled.milestoning}
        of_platform = _of_platform(self.platforms[platform]) if platform in self.platforms else {}
        return {**_of_settings(platform_settings(platform)), **of_platform, **of_model, **self.defaults}


def stream_defaults(model: Model | None, defaults: Sequence[str]) -> FileDefaults:
    """Return the defaults for a static file.

    `defaults` are `key=value`, the value JSON, otherwise text. Raises ValueWrong for any other form.
    """
    found: dict[str, Any] = {}
    for default in defaults:
        key, sign, text = default.partition("=")
        if not sign:
            raise ValueWrong("--default", default, "sets no key", "Write key=value")
        keys = json_schema("stream")["properties"]
        if key not in keys:
            raise UnknownName("--default", "key", key, keys)
        try:
            found[key] = json.loads(text)
        except ValueError:
            found[key] = text
    if model is None:
        return FileDefaults(found, {}, {})
    platforms = {platform.name: platform for platform in model.ecosystem.platforms}
    return FileDefaults(found, stream_graph(model.ecosystem, model.mappings), platforms)


def _of_platform(platform: Platform) -> dict[str, Any]:
    """Return the platform's defaults for streams that the model lacks."""
    return {
        "namespace_name": platform.namespace,
        "postgres_hostname": platform.merge_store.host,
        "postgres_database": platform.merge_store.database,
        "postgres_port": platform.merge_store.port,
        "postgres_credential_secret_name": platform.merge_store.credential,
        "git_credential_secret_name": platform.model.credential,
        "slack_credential_secret_name": platform.slack_credential,
        "datasurface_docker_image": platform.image,
        "git_repo_url": platform.model.url,
        "git_repo_branch": platform.model.branch,
        "milestoning": platform.milestoning.value,
    }


def _of_settings(settings: PlatformSettings) -> dict[str, Any]:
    found = {key: getattr(settings, key) for key in SETTINGS_KEYS}
    if len(settings.source_credential_secret_names) == 1:
        found["source_credential_secret_name"] = settings.source_credential_secret_names[0]
    return {key: value for key, value in found.items() if value is not None}
