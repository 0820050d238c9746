"""Which rows the settings allow: whoever can write the stream table must not be able to run anything anywhere.

Each key of a row that names a place or a right may have the platform's own value, as bootstrap wrote it, or a value of
`allowed` in the settings file. This runs in the parse for each row: plain look-ups only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from airflow_plugin.settings import PlatformSettings
from config_schema import names
from config_schema.cron import MINUTE, is_random, least_gap
from config_schema.problem import Problem, Rule
from config_schema.stream import StreamConfig

SETTINGS_ARE_THERE = Rule("DF2212", "The platform's settings file is there, which says what rows may ask for.")
SETTINGS_ALLOW_IT = Rule("DF2213", "The platform's settings allow what a row asks for.")

REQUIRED = (
    "namespace_name",
    "datasurface_docker_image",
    "git_repo_url",
    "git_repo_branch",
    "git_credential_secret_name",
    "postgres_credential_secret_name",
    "slack_credential_secret_name",
)
OPTIONAL = ("service_account", "pool")  # a row without them takes what anyone has
SHOWN = 100  # characters of a value; the rest of a long one is of no use
LOGIN = re.compile(r"//[^/]*@")  # in an address, and what is in it is not shown

# Kubernetes' amounts (`500m`, `1.5Gi`) as whole numbers, so that two of them compare exactly.
DECIMALS = 24  # of the smallest unit: more than an amount of 20 characters can have, thousandths of it included
FACTORS = {"": (1, 0), "m": (1, 3), "k": (10**3, 0), "M": (10**6, 0), "G": (10**9, 0), "T": (10**12, 0)}
FACTORS |= {f"{letter}i": (1024**power, 0) for power, letter in enumerate("KMGT", start=1)}
AMOUNT = re.compile(r"([0-9]+)(?:\.([0-9]+))?([A-Za-z]*)")

Refusal = tuple[str, str, str]  # the row's key, what is wrong, the settings' key that would allow it


@dataclass(frozen=True)
class Admitted:
    """The settings in the form that the check of each row needs."""

    values: Mapping[str, frozenset[Any]]
    merge_stores: frozenset[tuple[str, int, str]]
    pull_secrets: frozenset[str]
    ceilings: Mapping[str, int]
    schedule_assets: frozenset[str]
    shortest_schedule: int


def refusals(config: StreamConfig, settings: PlatformSettings, where: str) -> list[Problem]:
    """Return what the platform's settings do not allow of a row, each with the key that would allow it.

    `where` names the row.
    """
    if settings.missing_file is not None:
        what = f"there is no settings file {settings.missing_file}"
        return [
            SETTINGS_ARE_THERE.problem(where, "", what, "Run dagfactory bootstrap, and put its settings file there")
        ]
    file = names.settings_file(settings.platform_name)
    return [
        SETTINGS_ALLOW_IT.problem(
            where, path, what, f"Correct the row; if it is right, run dagfactory bootstrap or set {key} in {file}"
        )
        for path, what, key in _findings(config, settings, _admitted(settings))
    ]


def source_hosts(settings: PlatformSettings, credential: str) -> str:
    """Return the producers' databases that a job with this secret may open, as one argument, separated by commas.

    Servers are host:port, files `file:/path`. There is always one `file:`, by which a job knows that no other file is
    allowed: an older plugin gives no files. Secrets that the settings assign to no server may go to all of them.
    """
    assigned = settings.source_credential_hosts.get(credential, settings.source_hosts)
    own = [host for host in assigned if host in settings.source_hosts]
    own += [f"private:{host}" for host in own if f"private:{host}" in settings.source_hosts]
    files = [f"file:{path}" for path in (*settings.source_files, *settings.allowed.source_files)]
    return ",".join(dict.fromkeys((*own, *settings.allowed.source_hosts, *(files or ["file:"]))))


def _findings(config: StreamConfig, settings: PlatformSettings, admitted: Admitted) -> Iterator[Refusal]:
    same = config.platform_name == settings.platform_name  # another platform's row has its own problem
    if same and config.original_platform_name != settings.original_platform_name:
        yield _not_admitted(config, "original_platform_name", "original_platform_name")
    if config.runner not in settings.runners:
        yield "runner", f"the runner {config.runner!r} is switched off", "runners"
    for key, values in admitted.values.items():
        if getattr(config, key) not in values:
            yield _not_admitted(config, key, f"allowed.{key}")
    place = (config.postgres_hostname, config.postgres_port, config.postgres_database)
    if place not in admitted.merge_stores:
        yield _other_merge_store(place, settings)
    if config.schedule is not None and config.schedule != settings.schedule:
        yield from _too_often(config.schedule, admitted.shortest_schedule)
    if config.schedule_assets:
        yield from _other_assets(config, admitted)
    if config.image_pull_secrets and not admitted.pull_secrets.issuperset(config.image_pull_secrets):
        yield _not_admitted(config, "image_pull_secrets", "allowed.image_pull_secrets")
    if config.resources:
        yield from _too_much(config.resources, admitted.ceilings)
    if config.node_selector:
        yield from _other_nodes(config.node_selector, settings)
    for index, toleration in enumerate(config.tolerations):
        if toleration not in settings.allowed.tolerations:
            yield f"tolerations[{index}]", f"{_shown(toleration)} is not admitted", "allowed.tolerations"
    for key in ("priority", "time_slice_seconds"):
        if getattr(config, key) and not _in_range(getattr(config, key), key, settings):
            yield _not_admitted(config, key, f"allowed.{key}")


@lru_cache(maxsize=64)
def _admitted(settings: PlatformSettings) -> Admitted:
    allowed = settings.allowed
    values = {key: frozenset((getattr(settings, key), *getattr(allowed, key))) for key in REQUIRED}
    values |= {key: frozenset((None, getattr(settings, key), *getattr(allowed, key))) for key in OPTIONAL}
    values["source_credential_secret_name"] = frozenset(
        (*settings.source_credential_secret_names, *allowed.source_credential_secret_name)
    )
    own = (settings.postgres_hostname, settings.postgres_port, settings.postgres_database)
    stores = {_merge_store(text) for text in allowed.merge_stores}
    return Admitted(
        values=values,
        merge_stores=frozenset({*stores, own}),  # type: ignore[arg-type]  # one with None is nobody's
        pull_secrets=frozenset(allowed.image_pull_secrets),
        ceilings={key: quantity(amount) for key, amount in allowed.resources.items()},
        schedule_assets=frozenset(map(names.asset_uri, (*settings.schedule_assets, *allowed.schedule_assets))),
        shortest_schedule=allowed.shortest_schedule,
    )


def _merge_store(text: str) -> tuple[str, int, str]:
    server, _, database = text.partition("/")
    host, _, port = server.rpartition(":")
    return host, int(port), database


def _other_merge_store(place: tuple[str, int, str], settings: PlatformSettings) -> Refusal:
    keys = ("postgres_hostname", "postgres_port", "postgres_database")
    path = next((key for key, value in zip(keys, place, strict=True) if value != getattr(settings, key)), keys[0])
    return path, f"{_shown('{}:{}/{}'.format(*place))} is not admitted as merge store", "allowed.merge_stores"


def _too_often(schedule: str, shortest: int) -> Iterator[Refusal]:
    if is_random(schedule):
        yield "schedule", f"{schedule!r} leaves its times to chance", "schedule"
        return
    if shortest <= MINUTE and schedule != "@continuous":
        return  # cron knows nothing shorter
    try:
        gap = least_gap(schedule)
    except ValueError:
        return  # reported by its own check
    if gap < shortest:
        what = f"{schedule!r} can come after {gap} s, and the shortest is {shortest} s"
        yield "schedule", what, "allowed.shortest_schedule"


def _other_assets(config: StreamConfig, admitted: Admitted) -> Iterator[Refusal]:
    """Yield assets of others: only the platform's own streams run as often as its schedules allow."""
    own = names.dataset_asset(config.original_platform_name, "", "")[:-1]
    for index, asset in enumerate(config.schedule_assets):
        uri = names.asset_uri(asset)
        if not uri.startswith(own) and uri not in admitted.schedule_assets:
            yield f"schedule_assets[{index}]", f"{_shown(asset)} is not admitted", "allowed.schedule_assets"


def _too_much(resources: Mapping[str, Mapping[str, str]], ceilings: Mapping[str, int]) -> Iterator[Refusal]:
    for kind, amounts in resources.items():
        for name, amount in amounts.items():
            if name not in ceilings or quantity(amount) > ceilings[name]:
                key = f"allowed.resources.{name}"
                yield f"resources.{kind}.{name}", f"{amount!r} is more than is admitted", key


def _other_nodes(selector: Mapping[str, str], settings: PlatformSettings) -> Iterator[Refusal]:
    for label, value in selector.items():
        if value not in settings.allowed.node_selector.get(label, ()):
            yield f"node_selector[{_shown(label)}]", f"{value!r} is not admitted", "allowed.node_selector"


def _in_range(value: int, key: str, settings: PlatformSettings) -> bool:
    admitted = getattr(settings.allowed, key)
    return value == getattr(settings, key) or (admitted is not None and admitted["from"] <= value <= admitted["to"])


def _not_admitted(config: StreamConfig, key: str, setting: str) -> Refusal:
    return key, f"{_shown(getattr(config, key))} is not admitted", setting


def _shown(value: Any) -> str:
    text = LOGIN.sub("//***@", ascii(list(value) if isinstance(value, tuple) else value))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


@lru_cache(maxsize=1024)
def quantity(text: str) -> int:
    """Return the amount in units of 10**-24. Raises ValueError for what stream.schema.json does not allow."""
    found = AMOUNT.fullmatch(text)
    if found is None or found[3] not in FACTORS:
        raise ValueError(f"{text!r} is no amount")
    whole, decimals = found[1], found[2] or ""
    factor, thousandths = FACTORS[found[3]]
    return int(f"{whole}{decimals}{'0' * (DECIMALS - len(decimals) - thousandths)}") * factor
