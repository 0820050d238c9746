"""What is installed here, and whether it is what this distribution asks for."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from airflow_plugin.airflow_versions import TESTED, unknown_version
from airflow_plugin.doctor.finding import Area, Finding
from airflow_plugin.provider import DISTRIBUTION
from airflow_plugin.settings import PlatformSettings
from config_schema.problem import Rule

AIRFLOW_IS_INSTALLED = Rule("DF3601", "Airflow is installed where the factory runs.")
PACKAGE_FITS = Rule("DF3602", "Airflow and its providers are installed, in versions that this distribution supports.")
NOTIFIER_IS_INSTALLED = Rule("DF3603", "The package of the notifiers that the settings name is installed.")
AIRFLOW_IS_KNOWN = Rule("DF3604", "Airflow is of a version that this distribution was tested on.")

AREA = Area("versions")
AIRFLOW = "apache-airflow"
SLACK = "apache-airflow-providers-slack"
EXTRA = "airflow"
REQUIREMENT = re.compile(rf"({AIRFLOW}[\w-]*)\s*([^;]*);.*extra == ['\"]{EXTRA}['\"]")
INSTALL = f"Install {DISTRIBUTION}[{EXTRA}]"


def airflow_is_here() -> bool:
    """Return whether Airflow is installed."""
    return _version(AIRFLOW) is not None


def version_findings() -> Iterator[Finding]:
    """Yield the versions of Python and this distribution, and of Airflow and its providers if installed."""
    yield AREA.ok(f"{DISTRIBUTION} {version(DISTRIBUTION)}, Python {platform.python_version()}")
    if not airflow_is_here():
        yield AREA.warning(
            AIRFLOW_IS_INSTALLED,
            "Airflow is not installed: what it needs is not looked at",
            f"{INSTALL}, if it runs here",
        )
        return
    for requirement in requires(DISTRIBUTION) or ():
        if match := REQUIREMENT.match(requirement):
            yield _of_package(match[1], match[2].strip())
    if (unknown := unknown_version()) is not None:
        what = f"Airflow {unknown} is not known to this version of {DISTRIBUTION}, {TESTED}"
        yield AREA.warning(
            AIRFLOW_IS_KNOWN, what, f"See whether there is a newer {DISTRIBUTION}, or try it before others use it"
        )


def notifier_findings(settings: PlatformSettings) -> Iterator[Finding]:
    """Yield whether the notifiers that the settings name can be reached."""
    if settings.notifiers and airflow_is_here() and _version(SLACK) is None:
        what = f"the settings name notifiers, and {SLACK} is not installed: nobody is notified of failures"
        yield Area("versions", settings.original_platform_name).error(NOTIFIER_IS_INSTALLED, what, f"Install {SLACK}")


def _of_package(package: str, wanted: str) -> Finding:
    from packaging.specifiers import SpecifierSet  # Airflow brings it

    found = _version(package)
    if found is None:
        return AREA.error(PACKAGE_FITS, f"{package} is not installed", INSTALL)
    if not SpecifierSet(wanted).contains(found, prereleases=True):
        return AREA.error(PACKAGE_FITS, f"{package} {found} is here, and {wanted} is needed", INSTALL)
    return AREA.ok(f"{package} {found}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
