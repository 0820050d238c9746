"""Which secret of a static file is whose."""

from __future__ import annotations

import pytest

from airflow_plugin.migrate.credentials import GIT, MERGE_STORE, SLACK, SOURCE, credentials
from airflow_plugin.static_dags.static_pod import SecretKey


def logins(*names: str) -> list[SecretKey]:
    return [SecretKey(name, key) for name in names for key in ("username", "password")]


@pytest.mark.parametrize(
    ("secrets", "known", "found"),
    [
        (logins("pg"), {}, {MERGE_STORE: "pg", SOURCE: "pg"}),
        (logins("pg", "shop"), {}, {MERGE_STORE: "pg", SOURCE: "shop"}),
        (logins("shop", "pg"), {MERGE_STORE: "pg"}, {MERGE_STORE: "pg", SOURCE: "shop"}),
        (logins("shop", "pg"), {SOURCE: "shop"}, {MERGE_STORE: "pg", SOURCE: "shop"}),
        (logins("a", "b", "c"), {}, {}),
        (logins("a", "b", "c"), {MERGE_STORE: "b", SOURCE: "c"}, {MERGE_STORE: "b", SOURCE: "c"}),
        (logins("other"), {MERGE_STORE: "pg", SOURCE: "shop"}, {MERGE_STORE: "other", SOURCE: "other"}),
        ([SecretKey("slack-hook", "token"), SecretKey("git", "token")], {}, {GIT: "git", SLACK: "slack-hook"}),
        ([SecretKey("model", "token")], {GIT: "model"}, {GIT: "model"}),
        ([SecretKey("model", "token")], {}, {}),
    ],
)
def test_a_secret_is_distinguished_by_its_keys_its_name_and_what_is_known(secrets, known, found):
    assert credentials(secrets, known) == found
