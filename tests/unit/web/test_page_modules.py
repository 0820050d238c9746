"""The pages' modules fit together without a build: what they import is there, and nothing comes from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import airflow_plugin
from airflow_plugin.web.registration import STATIC, react_apps

FOLDER = Path(airflow_plugin.__file__).parent / "web" / "static"
MODULES = sorted(FOLDER.rglob("*.js"))
IMPORT = re.compile(r'^import (?:\{([^}]*)\} from )?"([^"]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?:async )?(?:const|function|class) (\w+)", re.MULTILINE)
EXPORTED_TOGETHER = re.compile(r"^export const \{([^}]*)\}", re.MULTILINE)
# What would let a text of a config become markup or code.
DANGEROUS = ("innerHTML", "dangerouslySetInnerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function")


def exported(module: Path) -> set[str]:
    text = module.read_text("utf-8")
    together = [name.split(":")[-1].strip() for names in EXPORTED_TOGETHER.findall(text) for name in names.split(",")]
    return {*EXPORT.findall(text), *filter(None, together)}


def imported(module: Path) -> list[tuple[Path, list[str]]]:
    found = IMPORT.findall(module.read_text("utf-8"))
    return [((module.parent / path).resolve(), names.replace(",", " ").split()) for names, path in found]


def each_module() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("module", MODULES, ids=lambda module: module.relative_to(FOLDER).as_posix())


@each_module()
def test_what_a_module_imports_is_there_and_used(module):
    body = IMPORT.sub("", module.read_text("utf-8"))
    for other, names in imported(module):
        assert other in MODULES
        assert set(names) <= exported(other)
        assert [name for name in names if not re.search(rf"\b{name}\b", body)] == []


@each_module()
def test_a_module_takes_nothing_from_elsewhere_and_makes_no_markup_of_text(module):
    text = module.read_text("utf-8")
    assert "://" not in text
    assert [word for word in DANGEROUS if word in text] == []


def test_every_module_is_reached_from_airflow():
    waiting = [FOLDER / Path(app["bundle_url"]).relative_to(STATIC) for app in react_apps()]
    reached: set[Path] = set()
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting += [other for other, _ in imported(module) if other not in reached]
    assert reached == set(MODULES)


@pytest.mark.parametrize("app", react_apps(), ids=lambda app: app["name"])
def test_a_module_calls_itself_what_airflow_looks_for(app):
    text = (FOLDER / Path(app["bundle_url"]).relative_to(STATIC)).read_text("utf-8")
    name = re.escape(app["name"])
    assert re.search(rf'^globalThis(\.{name}|\["{name}"\]) = ', text, re.MULTILINE)
    for icon in (app["icon"], app["icon_dark_mode"]):
        assert (FOLDER / Path(icon).relative_to(STATIC)).exists()
