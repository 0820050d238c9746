"""The bundle, of which a test can let `refresh` fail: while there is a file `fail` beside its files."""

from __future__ import annotations

from airflow_plugin.factory.bundle import StreamBundle


class FailingBundle(StreamBundle):
    def refresh(self) -> None:
        if (self.base_dir / "fail").exists():
            raise RuntimeError("this bundle is to fail")
        super().refresh()
