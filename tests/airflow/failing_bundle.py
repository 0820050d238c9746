"""The bundle, which a test can let fail at each look: while there is a file `fail` beside its files."""

from __future__ import annotations

from airflow_plugin.factory.bundle import StreamBundle
from config_schema.errors import StreamFactoryError


class FailingBundle(StreamBundle):
    def _keep(self, seconds: float) -> list[StreamFactoryError]:
        if (self.base_dir / "fail").exists():
            raise RuntimeError("this bundle is to fail")
        return super()._keep(seconds)
