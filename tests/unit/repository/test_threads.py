"""Threads of the merge job get no signals: in one they end the process, whatever the main thread has blocked."""

from __future__ import annotations

import ast
from pathlib import Path

import merge_jobs

ROOT = Path(merge_jobs.__file__).parent
STARTER = ROOT / "process" / "signal_mask.py"


def starts_threads(tree: ast.AST) -> bool:
    """Whether the module names Thread or an executor itself."""
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    return bool({"Thread", "Timer", "ThreadPoolExecutor"} & (named | imported))


def test_only_one_module_starts_threads():
    starting = [path for path in ROOT.rglob("*.py") if starts_threads(ast.parse(path.read_text()))]
    assert starting == [STARTER]
