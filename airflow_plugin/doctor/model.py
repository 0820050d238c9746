"""The model in git: whether sync can take the folder, and whether jobs can fetch the repository."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from airflow_plugin.doctor.finding import Area, Finding
from airflow_plugin.settings import PlatformSettings
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.load.git import checkout, commit_of, is_server_of
from config_schema.model import Platform

SHORT = 12


def folder_findings(folder: Path) -> Iterator[Finding]:
    """Yield findings on the folder that the model was read from: sync takes only what is committed."""
    area = Area("model")
    try:
        yield area.ok(f"{folder} is committed, at {commit_of(folder)[:SHORT]}")
    except StreamFactoryError as error:
        yield area.warning_of_error(error, f"{error.what}, and sync refuses that")


def repository_findings(platform: Platform, settings: PlatformSettings) -> Iterator[Finding]:
    """Yield findings on the repository from which the platform's jobs take the model.

    The servers and the secret are those that the settings name: whoever writes the model does not decide who gets a
    token, nor which variable of the environment is one.
    """
    area = Area("model", platform.name)
    git = platform.model
    allowed = settings.allowed
    known = [url for url in (settings.git_repo_url, *allowed.git_repo_url) if url]
    secrets = (settings.git_credential_secret_name, *allowed.git_credential_secret_name)
    is_admitted = git.credential in secrets and is_server_of(git.url, known)
    token = os.environ.get(names.secret_variable(git.credential, "token")) if is_admitted else None
    try:
        with tempfile.TemporaryDirectory(prefix="model-") as folder:
            commit = checkout(git.url, git.branch, None, Path(folder), token)
    except StreamFactoryError as error:
        yield from area.of_error(error)
        return
    yield area.ok(f"{git.url}: branch {git.branch} is at {commit[:SHORT]}")
