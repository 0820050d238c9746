"""The values of expressions in a DAG file, by its syntax tree. Nothing of the file is run."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from airflow_plugin.static_dags.ast_values import (
    LONGEST,
    FileScope,
    Imported,
    Made,
    Unread,
    forget,
    is_plain,
    mark_unknown,
)

DEEPEST = 20  # functions that call each other
WIDE_FORMAT = re.compile(r"\d{4}")
TEXT_METHODS = frozenset(
    ("lower", "upper", "strip", "replace", "format", "join", "split", "removeprefix", "removesuffix")
)
DICT_METHODS = frozenset(("get", "items", "keys", "values", "copy"))
BUILTINS: dict[str, Callable[..., Any]] = {"str": str, "int": int, "float": float, "bool": bool, "len": len}
COLLECTIONS: dict[str, Callable[..., Any]] = {"dict": dict, "list": list, "tuple": tuple}
SUMS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {ast.Add: operator.add, ast.Sub: operator.sub}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}


def value_of(node: ast.expr, scope: FileScope) -> Any:
    """Return a plain value, Made, Imported, a function's syntax, or Unread."""
    scope.steps.take()
    reader = _READERS.get(type(node))
    if reader is None:
        return Unread(node.lineno, f"{ast.unparse(node)[:60]!r} is no constant")
    try:
        value = reader(node, scope)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ZeroDivisionError) as error:
        return Unread(node.lineno, f"{ast.unparse(node)[:60]!r} gives no value ({type(error).__name__})")
    if isinstance(value, str | list | tuple) and len(value) > LONGEST:
        return Unread(node.lineno, f"a value with more than {LONGEST} characters or entries")
    return value


def _constant(node: ast.Constant, scope: FileScope) -> Any:
    return node.value


def _name(node: ast.Name, scope: FileScope) -> Any:
    if node.id in scope.names:
        return scope.names[node.id]
    return Unread(node.lineno, f"the name {node.id!r} is not set in this file")


def _sequence(node: ast.List | ast.Tuple | ast.Set, scope: FileScope) -> Any:
    values = _all(node.elts, scope)
    if isinstance(values, Unread):
        return values
    return tuple(values) if isinstance(node, ast.Tuple) else values


def _all(nodes: list[ast.expr], scope: FileScope) -> list[Any] | Unread:
    """Return the values of a list's elements, or of positional arguments; `*others` are spread."""
    found: list[Any] = []
    for node in nodes:
        value = value_of(node.value if isinstance(node, ast.Starred) else node, scope)
        if not isinstance(node, ast.Starred):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += value
        else:
            return value if isinstance(value, Unread) else Unread(node.lineno, "what is spread here is no list")
    return found


def _dict(node: ast.Dict, scope: FileScope) -> Any:
    found: dict[Any, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        read = value_of(value, scope)
        if key is not None:
            found[value_of(key, scope)] = read
        elif isinstance(read, dict):
            found.update(read)
        else:
            return read if isinstance(read, Unread) else Unread(node.lineno, "what is spread here is no dict")
    return found


def _f_string(node: ast.JoinedStr, scope: FileScope) -> Any:
    parts = []
    for part in node.values:
        if not isinstance(part, ast.FormattedValue):
            parts.append(value_of(part, scope))
            continue
        value = value_of(part.value, scope)
        if isinstance(value, Unread):
            return value
        if part.format_spec is not None or not is_plain(value):
            return Unread(node.lineno, f"{ast.unparse(part.value)[:60]!r} in an f-string is no plain text")
        parts.append(repr(value) if part.conversion == ord("r") else str(value))
    return "".join(parts)


def _binary(node: ast.BinOp, scope: FileScope) -> Any:
    left, right = value_of(node.left, scope), value_of(node.right, scope)
    if isinstance(node.op, ast.RShift | ast.LShift):
        link(left, right, scope) if isinstance(node.op, ast.RShift) else link(right, left, scope)
        return right
    for side in (left, right):
        if isinstance(side, Unread):
            return side
    return _combined(node, left, right)


def _combined(node: ast.BinOp, left: Any, right: Any) -> Any:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if type(node.op) in SUMS and (numbers or (type(left) is type(right) and isinstance(left, str | list | tuple))):
        return SUMS[type(node.op)](left, right)
    if isinstance(node.op, ast.Mult | ast.Div | ast.FloorDiv) and numbers and max(abs(left), abs(right)) < 1e12:
        if isinstance(node.op, ast.Mult):
            return left * right
        return left / right if isinstance(node.op, ast.Div) else left // right
    if isinstance(node.op, ast.BitOr) and isinstance(left, dict) and isinstance(right, dict):
        return left | right
    if isinstance(node.op, ast.Mod) and isinstance(left, str) and is_plain(right) and not WIDE_FORMAT.search(left):
        return left % right
    return Unread(node.lineno, f"{ast.unparse(node)[:60]!r} is no simple expression")


def link(before: Any, after: Any, scope: FileScope) -> None:
    """Record `before >> after`, each a task or a list of tasks; anything else is left out."""
    befores = before if isinstance(before, list | tuple) else [before]
    afters = after if isinstance(after, list | tuple) else [after]
    scope.edges += [(one, other) for one in befores for other in afters if _both_made(one, other)]


def _both_made(*values: Any) -> bool:
    return all(isinstance(value, Made) for value in values)


def _unary(node: ast.UnaryOp, scope: FileScope) -> Any:
    value = value_of(node.operand, scope)
    if isinstance(value, Unread):
        return value
    return (not value) if isinstance(node.op, ast.Not) else -value if isinstance(node.op, ast.USub) else +value


def _either(node: ast.BoolOp, scope: FileScope) -> Any:
    value: Any = None
    for one in node.values:
        value = value_of(one, scope)
        if isinstance(value, Unread) or bool(value) == isinstance(node.op, ast.Or):
            break
    return value


def _comparison(node: ast.Compare, scope: FileScope) -> Any:
    left, right = value_of(node.left, scope), value_of(node.comparators[0], scope)
    compare = COMPARISONS.get(type(node.ops[0]))
    if len(node.ops) > 1 or compare is None or not (is_plain(left) and is_plain(right)):
        return Unread(node.lineno, f"{ast.unparse(node)[:60]!r} is known only where the file runs")
    return compare(left, right)


def _conditional(node: ast.IfExp, scope: FileScope) -> Any:
    test = value_of(node.test, scope)
    if isinstance(test, Unread):
        return test
    scope.skipped.add(id(node.orelse if test else node.body))
    return value_of(node.body if test else node.orelse, scope)


def _item(node: ast.Subscript, scope: FileScope) -> Any:
    value, index = value_of(node.value, scope), value_of(node.slice, scope)
    if isinstance(value, dict | list | tuple | str) and is_plain(index):
        return value[index]
    return value if isinstance(value, Unread) else _at_run_time(node)


def _attribute(node: ast.Attribute, scope: FileScope) -> Any:
    value = value_of(node.value, scope)
    if isinstance(value, Imported):
        return Imported(f"{value.name}.{node.attr}")
    return value if isinstance(value, Unread) else _at_run_time(node)


def _comprehension(node: ast.ListComp | ast.GeneratorExp, scope: FileScope) -> Any:
    loop = node.generators[0]
    many = value_of(loop.iter, scope)
    if isinstance(many, Unread):
        return many
    if len(node.generators) > 1 or loop.ifs or not isinstance(many, list | tuple) or len(many) > LONGEST:
        return Unread(node.lineno, f"{ast.unparse(node)[:60]!r} is no simple loop")
    return [value_of(node.elt, scope.inner(unpacked(loop.target, one))) for one in many]


def unpacked(target: ast.expr, value: Any) -> dict[str, Any]:
    """Return the names that an assignment or a loop sets. Raises TypeError if the value has another shape."""
    if isinstance(target, ast.Name):
        return {target.id: value}
    if isinstance(target, ast.Tuple | ast.List):
        if isinstance(value, Unread):
            return {name: value for one in target.elts for name in unpacked(one, value)}
        if not isinstance(value, list | tuple) or len(value) != len(target.elts):
            raise TypeError("another number of values")
        return {name: v for t, one in zip(target.elts, value, strict=True) for name, v in unpacked(t, one).items()}
    return {}


def _call(node: ast.Call, scope: FileScope) -> Any:
    args, kwargs = _all(node.args, scope), _keywords(node, scope)
    for given in (args, kwargs):
        if isinstance(given, Unread):
            return given
    assert not isinstance(args, Unread)
    assert not isinstance(kwargs, Unread)
    if isinstance(node.func, ast.Attribute):
        of = value_of(node.func.value, scope)
        if not isinstance(of, Imported):
            return _method(node, of, args, kwargs, scope)
    if isinstance(node.func, ast.Name) and node.func.id not in scope.names:
        return _builtin(node, node.func.id, args, kwargs)
    function = value_of(node.func, scope)
    if isinstance(function, Imported):
        return _made(node, function.name, args, kwargs, scope)
    if isinstance(function, ast.FunctionDef):
        return _called(node, function, args, kwargs, scope)
    return function if isinstance(function, Unread) else _at_run_time(node)


def _keywords(node: ast.Call, scope: FileScope) -> dict[str, Any] | Unread:
    found: dict[str, Any] = {}
    for keyword in node.keywords:
        value = value_of(keyword.value, scope)
        if keyword.arg is not None:
            found[keyword.arg] = value
        elif isinstance(value, dict):
            found.update(value)
        else:
            return value if isinstance(value, Unread) else Unread(node.lineno, "what is spread here is no dict")
    return found


def _method(node: ast.Call, of: Any, args: list[Any], kwargs: dict[str, Any], scope: FileScope) -> Any:
    assert isinstance(node.func, ast.Attribute)
    name = node.func.attr
    if isinstance(of, Made) and name in ("set_downstream", "set_upstream"):
        link(of, args[0], scope) if name == "set_downstream" else link(args[0], of, scope)
        return None
    if isinstance(of, list) and name in ("append", "extend") and len(of) <= LONGEST:
        return of.append(args[0]) if name == "append" else of.extend(args[0])
    if isinstance(of, dict) and name == "update":
        return of.update(*args, **kwargs)
    if isinstance(of, dict) and name in DICT_METHODS:
        found = getattr(of, name)(*args)
        return list(found) if name in ("items", "keys", "values") else found
    fits = name != "format" or not WIDE_FORMAT.search(of if isinstance(of, str) else "")
    mark_unknown([of], _at_run_time(node))
    if isinstance(of, str) and name in TEXT_METHODS and fits and is_plain([args, kwargs]):
        return getattr(of, name)(*args, **kwargs)
    return of if isinstance(of, Unread) else _at_run_time(node)


def _builtin(node: ast.Call, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if name in BUILTINS and is_plain(args):
        return BUILTINS[name](*args, **kwargs)
    if name in COLLECTIONS:
        return COLLECTIONS[name](*args, **kwargs)
    return _at_run_time(node)


def _made(node: ast.Call, name: str, args: list[Any], kwargs: dict[str, Any], scope: FileScope) -> Any:
    if name.startswith(("os.", "pathlib.", "json.", "socket.")) or name.endswith((".Variable.get", ".get_connection")):
        return _at_run_time(node)
    if name.rpartition(".")[2] == "chain":
        for before, after in pairwise(args):
            link(before, after, scope)
        return None
    made = Made(name, args, kwargs, node.lineno, node.col_offset)
    if scope.dags and "task_id" in kwargs and kwargs.get("dag") is None:  # for Airflow None is not given
        kwargs["dag"] = scope.dags[-1]
    scope.made.append(made)
    return made


def _called(
    node: ast.Call, function: ast.FunctionDef, args: list[Any], kwargs: dict[str, Any], scope: FileScope
) -> Any:
    """Return what a function of the file gives that is one `return`; a `@task` function gives a task."""
    for decorator in function.decorator_list:
        of = value_of(decorator.func if isinstance(decorator, ast.Call) else decorator, scope)
        if isinstance(of, Imported) and re.search(r"\.task(\.\w+)?$", of.name):
            named = {"task_id": function.name, "dag": scope.dags[-1] if scope.dags else None}
            return _made(node, _task_kind(of.name), [], named, scope)
    body = [one for one in function.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    given = function.args
    if len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None or scope.depth > DEEPEST:
        unread = Unread(node.lineno, f"what {function.name}() gives is known only where the file runs")
        mark_unknown([*args, *kwargs.values()], unread)
        if scope.depth <= DEEPEST:
            _forget_what_is_global(function, scope, unread)
        return unread
    if given.vararg or given.kwarg or given.posonlyargs or len(args) > len(given.args):
        return Unread(node.lineno, f"how {function.name}() takes its arguments is not followed")
    names = [one.arg for one in given.args]
    last = names[len(names) - len(given.defaults) :]
    bound = {name: value_of(one, scope) for name, one in zip(last, given.defaults, strict=True)}
    bound |= {
        one.arg: value_of(default, scope)
        for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if default is not None
    }
    bound |= dict(zip(names, args, strict=False)) | kwargs
    return value_of(body[0].value, scope.inner(bound))


def _forget_what_is_global(function: ast.FunctionDef, scope: FileScope, why: Unread) -> None:
    """Forget what a function that is not followed may do to names of the file; its own names stay out."""
    inner = scope.inner({})
    forget(function, inner, why)
    shared = {name for one in ast.walk(function) if isinstance(one, ast.Global) for name in one.names}
    scope.names.update(dict.fromkeys(shared, why))


def _task_kind(decorator: str) -> str:
    """Return `@task`, or `@branch` for `@task.branch`."""
    last = decorator.rpartition(".")[2]
    return f"@{last}"


def _at_run_time(node: ast.expr) -> Unread:
    return Unread(node.lineno, f"{ast.unparse(node)[:60]!r} is known only where the file runs")


_READERS: dict[type[ast.expr], Callable[[Any, FileScope], Any]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.List: _sequence,
    ast.Tuple: _sequence,
    ast.Set: _sequence,
    ast.Dict: _dict,
    ast.JoinedStr: _f_string,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _either,
    ast.Compare: _comparison,
    ast.IfExp: _conditional,
    ast.Subscript: _item,
    ast.Attribute: _attribute,
    ast.ListComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.Call: _call,
}
