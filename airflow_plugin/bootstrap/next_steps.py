"""The steps that remain after bootstrap has written its files, up to the first run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from config_schema import names
from config_schema.model import Platform, Runner


def next_steps(
    platforms: Sequence[Platform], out: Path, model: Path, environment: Mapping[str, str], *, bundle: bool
) -> list[str]:
    """Return the steps, numbered, each with what to type where there is something to type."""
    steps = _steps(platforms, out, model, environment, bundle)
    return ["Next:", *(f"  {number}. {step}" for number, step in enumerate(steps, 1))]


def _steps(
    platforms: Sequence[Platform], out: Path, model: Path, environment: Mapping[str, str], bundle: bool
) -> Iterator[str]:
    settings = f"{out / 'settings'}/*.json into $AIRFLOW_HOME/stream_factory, or the folder of DAGFACTORY_SETTINGS_DIR"
    if bundle:
        yield f"Set in Airflow what is printed above, and put {settings}"
    else:
        yield f"Put {out / 'dags'}/*_factory*.py into Airflow's dags folder, and {settings}"
    shorts = [names.platform_name(one.name) for one in platforms if one.runner is Runner.KUBERNETES]
    if shorts:
        listed = ", ".join(str(out / "kubernetes" / names.secrets_file(one)) for one in shorts)
        yield f"Create the secrets of {listed}; give the values beside to the chart, if it installs Airflow"
    for one in platforms:
        variable = names.dsn_variable(names.platform_name(one.name))
        if variable not in environment:
            store, connection = one.merge_store, names.connection_id(names.platform_name(one.name))
            dsn = f"postgresql://USER:PASSWORD@{store.host}:{store.port}/{store.database}"
            yield f"export {variable}={dsn}, here and for Airflow; there the connection {connection} does it too"
    yield f"dagfactory sync {model}, once the model is committed and pushed"
    yield f"dagfactory doctor --model {model}, which says what is still missing"
