"""Where a DAG file may make an ingestion DAG that its syntax tree does not show: what is not followed is listed.

A file is read in full only if each place that makes a DAG or a merge's task belongs to a DAG that was read.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cached_property

from airflow_plugin.static_dags.ast_values import Imported, Unread, first_unread
from airflow_plugin.static_dags.module import DAG_KINDS, FileRead, MadeDag

MERGE_TASK = "snapshot_merge_job"
MERGE_WORDS = ("snapshot-merge", "--store-name", "merge-job merge")
# Calls of these make no DAGs of a stream; of any other module's a tree cannot say.
HARMLESS = frozenset(sys.stdlib_module_names) | {
    "airflow",
    "airflow_plugin",
    "kubernetes",
    "pendulum",
    "dateutil",
    "pytz",
}
HIDDEN = frozenset(("exec", "eval", "__import__", "importlib.import_module"))

Place = tuple[int, int]


def unfollowed(tree: ast.Module, read: FileRead) -> list[Unread]:
    """Return each place that may make an ingestion DAG and is in none that was read, by line."""
    return _Search(tree, read).found()


def unread_merge(made: MadeDag) -> Unread | None:
    """Return why a DAG that has no merge task may have one all the same; None where it has none."""
    for task in made.tasks:
        words = [*task.args, *task.kwargs.values()]
        if task.kwargs.get("task_id") == MERGE_TASK or any(_says_merge(word) for word in words):
            return Unread(task.line, f"{task.kind} runs a merge, and only the arguments of pod operators are read")
        if task.kind.endswith("PodOperator") and (unread := first_unread([task.kwargs.get("arguments")])):
            return unread
    return None


def without_merge(made: MadeDag) -> Unread | None:
    """Return why a DAG should have a merge task: its name says so, or none of its tasks are seen."""
    dag_id = made.dag.given("dag_id", 0)
    if not made.tasks:
        return Unread(made.dag.line, "none of the DAG's tasks can be read")
    if isinstance(dag_id, str) and dag_id.endswith("_ingestion"):
        return Unread(made.dag.line, f"the merge task of {dag_id} cannot be read")
    return None


def _says_merge(value: object) -> bool:
    if isinstance(value, list | tuple | set):
        return any(map(_says_merge, value))
    if isinstance(value, dict):
        return any(map(_says_merge, value.values()))
    return isinstance(value, str) and any(word in value for word in MERGE_WORDS)


class _Search:
    def __init__(self, tree: ast.Module, read: FileRead) -> None:
        self.tree, self.read = tree, read
        self.derived: dict[str, str] = {}  # classes of the file that are DAGs or pod operators, with what they are
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    name = self._name(base)
                    if self._is_dag(name) or self._is_pod(name):
                        self.derived[node.name] = name

    def found(self) -> list[Unread]:
        places: dict[int, Unread] = {}  # by line of the statement of the file: one for each is enough
        for one in self.read.uncalled:
            what = f"@dag {one.function.name}() is not called here, so that the file has no such DAG"
            places[one.function.lineno] = Unread(one.function.lineno, what)
        for statement in self.tree.body:
            for unread in (*self._dags(statement), *self._tasks(statement)):
                places.setdefault(statement.lineno, unread)
        found = [*places.values(), *self._lost_tasks(places)]
        if not found and not self.read.dags:
            found = list(self._elsewhere())[:1]
        return sorted(set(found), key=lambda unread: unread.line)

    def _dags(self, statement: ast.stmt) -> Iterator[Unread]:
        read = {(made.dag.line, made.dag.column) for made in self.read.dags}
        for node, name in self._calls(statement):
            if self._is_dag(name) and _place(node) not in read:
                yield Unread(node.lineno, f"the DAG that {name.rpartition('.')[2]}() makes here is not followed")

    def _tasks(self, statement: ast.stmt) -> Iterator[Unread]:
        read = {(made.line, made.column) for made in self.read.made if made.kind.endswith("PodOperator")}
        for node, name in self._calls(statement):
            if self._is_pod(name) and _place(node) not in read:
                yield Unread(node.lineno, f"the task that {name.rpartition('.')[2]}() makes here is not followed")

    def _lost_tasks(self, places: dict[int, Unread]) -> Iterator[Unread]:
        """Yield tasks that were read and are in no DAG that was, unless their statement is listed already."""
        in_dags = {id(task) for made in self.read.dags for task in made.tasks}
        listed = [statement for statement in self.tree.body if statement.lineno in places]
        for made in self.read.made:
            within = any(one.lineno <= made.line <= (one.end_lineno or one.lineno) for one in listed)
            if made.kind.endswith("PodOperator") and id(made) not in in_dags and not within:
                yield Unread(made.line, f"the {made.kind} here is in no DAG that can be read")

    def _elsewhere(self) -> Iterator[Unread]:
        """Yield what may bring DAGs from another module, for a file that Airflow looks at and that shows none."""
        if not self._airflow_looks_at_it or self._is_a_factory_file:
            return
        for statement in self.tree.body:
            if isinstance(statement, ast.ImportFrom) and _is_foreign(statement.module or "."):
                for alias in statement.names:
                    if alias.name == "*" or "dag" in alias.name.lower():
                        yield Unread(statement.lineno, f"{alias.name} of {statement.module} may be or make a DAG")
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for node, name in self._calls(statement):
                    if name in HIDDEN or ("." in name and _is_foreign(name)):
                        yield Unread(node.lineno, f"{name}() may make a DAG, and is not followed")

    @cached_property
    def _airflow_looks_at_it(self) -> bool:
        # As Airflow decides by default: a file with these two words.
        words = ast.unparse(self.tree).lower()
        return "dag" in words and "airflow" in words

    @cached_property
    def _is_a_factory_file(self) -> bool:
        return any(isinstance(one, ast.ImportFrom) and one.module == "airflow_plugin.factory" for one in self.tree.body)

    def _calls(self, statement: ast.stmt) -> Iterator[tuple[ast.expr, str]]:
        """Yield the calls and decorators in a statement with their names, without what is known not to run."""
        waiting: list[ast.AST] = [statement]
        while waiting:
            node = waiting.pop()
            if id(node) in self.read.skipped:
                continue
            waiting += ast.iter_child_nodes(node)
            if isinstance(node, ast.Call):
                yield node, self._name(node.func)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for one in node.decorator_list:
                    if not isinstance(one, ast.Call):
                        yield one, self._name(one)

    def _name(self, node: ast.expr) -> str:
        """Return what a name or an attribute stands for, as far as imports tell; empty for another expression."""
        if isinstance(node, ast.Attribute):
            of = self._name(node.value)
            return f"{of}.{node.attr}" if of else node.attr
        if not isinstance(node, ast.Name):
            return ""
        value = self.read.names.get(node.id)
        return value.name if isinstance(value, Imported) else self.derived.get(node.id, node.id)

    def _is_dag(self, name: str) -> bool:
        last = name.rpartition(".")[2]
        if last in DAG_KINDS or re.search("(DAG|Dag)$", last):
            return not last.startswith("get_")
        return "dag" in last.lower() and "." in name and _is_foreign(name)

    def _is_pod(self, name: str) -> bool:
        return any(part.endswith("PodOperator") for part in name.split("."))


def _is_foreign(name: str) -> bool:
    return name.partition(".")[0] not in HARMLESS


def _place(node: ast.expr) -> Place:
    return (node.lineno, node.col_offset)
