"""Settings for the rows of a test, where no model is at hand from which bootstrap would write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from airflow_plugin.settings import PlatformSettings


def settings_of_row(config: Mapping[str, Any], **others: Any) -> PlatformSettings:
    """Settings of a platform that has itself what this row asks for; `others` are further settings."""
    own = [one.name for one in fields(PlatformSettings) if one.name in config]
    shared = {name: tuple(config[name]) if isinstance(config[name], list) else config[name] for name in own}
    reported = {
        "runners": (config.get("runner", "kubernetes"),),
        "source_credential_secret_names": (config.get("source_credential_secret_name"),),
    }
    return PlatformSettings(**{**shared, **reported, **others})
