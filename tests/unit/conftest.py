"""Set how tests run that ask a thing of many generated values."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long one value takes says what else the machine does; what a function costs is measured in benchmarks.
settings.register_profile("dagfactory", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dagfactory")
