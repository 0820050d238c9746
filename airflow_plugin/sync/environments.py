"""A merge store belongs to one environment of the model."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_plugin.control.job_model import JobModelTable
from airflow_plugin.sync.stores import ConnectedStore
from config_schema.errors import StreamFactoryError


class EnvironmentDiffers(StreamFactoryError):
    """A platform's merge store was synced for another environment of the model than the one that is chosen.

    Choose the environment of the merge store, or name the right merge store. If it has really become one of another
    environment, delete the row of kind 'platform' in its table <platform>_job_model first: sync writes it again.
    """

    code = "DF3008"

    def __init__(self, platform: str, recorded: str, chosen: str) -> None:
        self.platform, self.recorded, self.chosen = platform, recorded, chosen
        what = f"its merge store is that of the environment {recorded}, and {chosen} is chosen"
        todo = f"Give --environment {recorded}, or check where DAGFACTORY_<PLATFORM>_DSN leads"
        super().__init__(platform, what, todo)


def refuse_other_environment(environment: str | None, stores: Iterable[ConnectedStore]) -> None:
    """Raise EnvironmentDiffers if a merge store was synced for another environment than this one."""
    if environment is None:
        return
    for store in stores:
        for platform in store.platforms:
            recorded = JobModelTable(store.session(platform)).environment()
            if recorded is not None and recorded != environment:
                raise EnvironmentDiffers(platform.name, recorded, environment)
