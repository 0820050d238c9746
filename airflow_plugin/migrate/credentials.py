"""The use of each secret that a static file names: a stream's config has one secret for each use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_plugin.static_dags.static_pod import SecretKey

MERGE_STORE = "postgres_credential_secret_name"
SOURCE = "source_credential_secret_name"
GIT = "git_credential_secret_name"
SLACK = "slack_credential_secret_name"
LOGIN_KEYS = ("username", "user", "password")


def credentials(secrets: Sequence[SecretKey], known: Mapping[str, Any]) -> dict[str, str]:
    """Return the secrets by key of the config; `known` are those of model and settings, to distinguish them.

    Without them, the first login is the merge store's and the only other one the source's, as generators wrote
    static files. With more than two logins nothing is guessed.
    """
    logins = list(dict.fromkeys(one.secret for one in secrets if _is_login(one)))
    tokens = list(dict.fromkeys(one.secret for one in secrets if not _is_login(one)))
    found = {**_logins(logins, known), **_tokens(tokens, known)}
    return {key: name for key, name in found.items() if name is not None}


def _is_login(secret: SecretKey) -> bool:
    return secret.key is not None and secret.key.lower().endswith(LOGIN_KEYS)


def _logins(names: list[str], known: Mapping[str, Any]) -> dict[str, str | None]:
    store = known.get(MERGE_STORE) if known.get(MERGE_STORE) in names else None
    source = known.get(SOURCE) if known.get(SOURCE) in names else None
    if len(names) > 2:
        return {MERGE_STORE: store, SOURCE: source}
    first = next((name for name in names if name != source), source)
    store = store or first
    return {MERGE_STORE: store, SOURCE: source or next((name for name in names if name != store), store)}


def _tokens(names: list[str], known: Mapping[str, Any]) -> dict[str, str | None]:
    def one(key: str, word: str) -> str | None:
        return known[key] if known.get(key) in names else next((name for name in names if word in name.lower()), None)

    return {GIT: one(GIT, "git"), SLACK: one(SLACK, "slack")}
