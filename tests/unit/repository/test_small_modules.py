"""What is read together stands together: a small module that only its neighbour imports is part of the neighbour."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("airflow_plugin", "config_schema", "merge_jobs")
SMALL, LARGE = 40, 300  # lines
# Folders that have a file for each command, rule, area or group of routes, so that its name is found in the tree.
A_FILE_EACH = {
    "airflow_plugin/cli",
    "airflow_plugin/doctor",
    "airflow_plugin/web",
    "config_schema/rules",
    "merge_jobs/cli",
}
# Airflow takes a listener as a module, and calls each function in it that has the name of a hook.
MODULES_FOR_OTHERS = {"airflow_plugin/listener.py"}


def parts_of_neighbours(root: Path, packages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield each small module that one module of its folder imports and no other does, and that module."""
    modules = {_name(path.relative_to(root)): path for one in packages for path in sorted((root / one).rglob("*.py"))}
    users: dict[str, set[str]] = defaultdict(set)
    for name, path in modules.items():
        for imported in _imports(ast.parse(path.read_text("utf-8"))):
            users[imported].add(name)
    for name, path in modules.items():
        if path.name == "__init__.py" or len(users[name]) != 1:
            continue
        neighbour = modules[next(iter(users[name]))]
        if path.parent == neighbour.parent and _lines(path) < SMALL and _lines(path) + _lines(neighbour) < LARGE:
            yield str(path.relative_to(root)), str(neighbour.relative_to(root))


def _name(path: Path) -> str:
    return ".".join(path.parent.parts if path.name == "__init__.py" else path.with_suffix("").parts)


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def test_a_small_module_that_only_its_neighbour_imports_is_part_of_it():
    found = [
        (one, neighbour)
        for one, neighbour in parts_of_neighbours(ROOT, PACKAGES)
        if str(Path(one).parent) not in A_FILE_EACH and one not in MODULES_FOR_OTHERS
    ]
    assert not found, "join each with the module that imports it"


def test_the_exceptions_are_needed():
    found = {one for one, _ in parts_of_neighbours(ROOT, PACKAGES)}
    assert found >= MODULES_FOR_OTHERS


def test_such_a_module_is_found(tmp_path):
    for name, text in {
        "pack/__init__.py": "",
        "pack/alone.py": "from pack.part import one\nfrom pack import shared\n",
        "pack/part.py": "one = 1\n",
        "pack/shared.py": "two = 2\n",
        "pack/other.py": "import pack.shared\nfrom pack.inner.deep import three\n",
        "pack/inner/deep.py": "three = 3\n",
        "pack/inner/long.py": "from pack.inner.short import four\n" + "\n" * LARGE,
        "pack/inner/short.py": "four = 4\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert list(parts_of_neighbours(tmp_path, ("pack",))) == [("pack/part.py", "pack/alone.py")]
