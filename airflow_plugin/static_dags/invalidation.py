"""What a statement that is not followed may have changed: none of it is known after it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from airflow_plugin.static_dags.ast_values import FileScope, Unread

UNKNOWN = "(what cannot be read)"  # a key in a dict that something may have changed


def forget(node: ast.AST, scope: FileScope, why: Unread) -> None:
    """Forget the names that a statement sets, and the lists and dicts it changes, wherever else they are held."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store | ast.Del):
            scope.names[one.id] = why
        elif isinstance(one, ast.Call):
            held = [one.func.value] if isinstance(one.func, ast.Attribute) else []
            spoil((scope.names.get(name.id) for name in (*held, *one.args) if isinstance(name, ast.Name)), why)
        elif isinstance(one, ast.Subscript) and not isinstance(one.ctx, ast.Load) and isinstance(one.value, ast.Name):
            spoil([scope.names.get(one.value.id)], why)


def spoil(values: Iterable[Any], why: Unread) -> None:
    """Mark lists and dicts, in place, as no longer known."""
    for value in values:
        if isinstance(value, list):
            value.append(why)
        elif isinstance(value, dict):
            value[UNKNOWN] = why
