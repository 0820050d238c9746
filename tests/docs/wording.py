"""What text an expression gives, as far as it can be read: known parts as they are, the others as `<name>`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from tests.docs.source_tree import Function, Module, Scope, Sources, called

MOST = 8  # alternatives of one text; more than that are a placeholder
DEEPEST = 10
ON_TEXT = ("strip", "rstrip", "lower", "upper", "partition", "splitlines", "astimezone", "isoformat", "format")


@dataclass(frozen=True)
class Place:
    """Where an expression is read: its scope, the line, and what callers have given for parameters."""

    scope: Scope
    line: int
    given: Mapping[str, tuple[ast.expr, Place]] = field(default_factory=dict)
    depth: int = 0

    def deeper(self) -> Place:
        return Place(self.scope, self.line, self.given, self.depth + 1)


def texts(expression: ast.expr, place: Place, all_sources: Sources) -> list[str]:
    """Every text that the expression may give."""
    found = list(dict.fromkeys(_texts(expression, place, all_sources)))
    return found if 0 < len(found) <= MOST else [placeholder(expression)]


def placeholder(expression: ast.expr) -> str:
    """`<name>` for what is known at run time only."""
    match expression:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return f"<{name.strip('_')}>"
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return f"<{name}>"
        case ast.Subscript(value=inner) | ast.Starred(value=inner) | ast.Await(value=inner):
            return placeholder(inner)
        case ast.Call(func=ast.Name(id="len"), args=[inner]):
            return f"<number of {placeholder(inner).strip('<>')}>"
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[inner]):
            return placeholder(inner)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re" | "shlex" | "json")), args=[*_, inner]):
            return placeholder(inner)
        case ast.Call(func=ast.Attribute(value=ast.Name() | ast.Attribute() | ast.Subscript() as of, attr=name)) if (
            name in ON_TEXT
        ):
            return placeholder(of)
        case ast.Call(func=ast.Attribute(attr="sub"), args=[*_, inner]):
            return placeholder(inner)
        case ast.Call(func=ast.Name(id="str" | "repr" | "sorted" | "map" | "list" | "max" | "min"), args=[*_, inner]):
            return placeholder(inner)
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]):
            return f"<{name}>"
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
            return f"<{name}>"
        case ast.Call(func=ast.Attribute(attr="get"), args=[key, *_]):
            return placeholder(key)
        case ast.Call(func=ast.Name(id="next")):
            return "<...>"
        case ast.Call():
            return f"<{called(expression).strip('_') or '...'}>"
        case ast.GeneratorExp(elt=inner) | ast.ListComp(elt=inner) | ast.BinOp(left=inner) | ast.IfExp(body=inner):
            return placeholder(inner)
        case ast.BoolOp(values=[inner, *_]) | ast.JoinedStr(values=[ast.FormattedValue(value=inner), *_]):
            return placeholder(inner)
        case _:
            return "<...>"


def has_words(text: str) -> bool:
    """Whether it says anything before a run fills it in."""
    return bool(re.search("[a-z]", re.sub("<[^>]*>", "", text), re.IGNORECASE))


def _texts(expression: ast.expr, place: Place, known: Sources) -> Iterator[str]:
    if place.depth > DEEPEST and not isinstance(expression, ast.Constant):
        yield placeholder(expression)
        return
    deeper = place.deeper()
    match expression:
        case ast.Constant(value=None):
            pass
        case ast.Constant(value=value):
            yield str(value)
        case ast.JoinedStr(values=parts):
            yield from _joined([_part(part, deeper, known) for part in parts])
        case ast.BinOp(left=left, op=ast.Add(), right=right) if not isinstance(getattr(right, "value", ""), int):
            yield from _joined([texts(left, deeper, known), texts(right, deeper, known)])
        case ast.IfExp(body=one, orelse=other):
            yield from texts(one, deeper, known)
            yield from texts(other, deeper, known)
        case ast.BoolOp(op=ast.Or(), values=values):
            for value in values:
                yield from texts(value, deeper, known)
        case ast.Name(id=name):
            yield from _named(name, expression, deeper, known)
        case ast.Call(func=ast.Name(id="choose_from")):
            yield "Choose from: <those there are>"
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            yield text.replace("{}", "<...>")
        case ast.Call(func=ast.Name(id="str"), args=[inner]):
            yield from texts(inner, deeper, known)
        case ast.Call(func=ast.Attribute(value=ast.JoinedStr() as inner, attr=name)) if name in ON_TEXT:
            yield from texts(inner, deeper, known)
        case ast.Call(func=ast.Attribute(value=ast.Dict(values=values), attr="get"), args=[_, *default]):
            for value in (*values, *default):
                yield from texts(value, deeper, known)
        case ast.Call(func=ast.Name(id=name)) if (found := _function(name, place.scope.module, known)) is not None:
            yield from _returned(expression, *found, deeper, known)
        case _:
            yield placeholder(expression)


def _part(part: ast.expr, place: Place, known: Sources) -> list[str]:
    if not isinstance(part, ast.FormattedValue):
        return texts(part, place, known)
    if part.conversion == ord("r"):
        return [f"'{placeholder(part.value)}'"]
    return texts(part.value, place, known)


def _joined(parts: list[list[str]]) -> Iterator[str]:
    if sum(len(part) > 1 for part in parts) > 3:
        parts = [part[:1] for part in parts]
    for chosen in product(*parts):
        yield "".join(chosen)


def _named(name: str, expression: ast.expr, place: Place, known: Sources) -> Iterator[str]:
    if name in place.given:
        value, there = place.given[name]
        yield from texts(value, Place(there.scope, there.line, there.given, place.depth), known)
        return
    for function in reversed(place.scope.functions):
        if assigned := _assigned(name, function, place.line):
            for value in assigned:
                yield from texts(value, Place(place.scope, value.lineno, place.given, place.depth), known)
            return
        if name in parameters(function):
            yield placeholder(expression)
            return
    constant = _constant(name, place.scope.module, known)
    if constant is None:
        yield placeholder(expression)
    else:
        value, module = constant
        yield from texts(value, Place(Scope(module), 0, depth=place.depth), known)


def _assigned(name: str, node: ast.AST, line: int) -> list[ast.expr]:
    """What may have been assigned before `line`, in each block: the last that always was, and in branches since."""
    return [value for block in _blocks(node) for value in _in_block(name, block, line)]


def _in_block(name: str, block: list[ast.stmt], line: int) -> list[ast.expr]:
    found: list[ast.expr] = []
    for statement in block:
        if statement.lineno >= line:
            break
        value = _value_of(name, statement)
        inside = [_in_block(name, one, line) for one in _blocks(statement)]
        if value is not None:
            found = [value]
        elif any(inside):
            # Around the line: only what is in there. Before it: one more way to have come here, or all of them.
            around = (statement.end_lineno or 0) >= line
            every = isinstance(statement, ast.If) and bool(statement.orelse) and all(inside)
            branches = [value for one in inside for value in one]
            found = branches if around or every else [*found, *branches]
    return found


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        block = getattr(node, name, None)
        if not isinstance(block, list):
            continue
        if name in ("handlers", "cases"):
            for inside in block:
                yield inside.body
        else:
            yield [statement for statement in block if isinstance(statement, ast.stmt)]


def _value_of(name: str, statement: ast.stmt) -> ast.expr | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
            return value
        case ast.AnnAssign(target=ast.Name(id=found), value=value) if found == name:
            return value
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            for one, value in zip(names, values, strict=True):
                if isinstance(one, ast.Name) and one.id == name:
                    return value
        case ast.AugAssign(target=ast.Name(id=found) as target, op=ast.Add(), value=value) if found == name:
            return ast.copy_location(ast.BinOp(target, ast.Add(), value), statement)
    return None


def _constant(name: str, module: Module, known: Sources) -> tuple[ast.expr, Module] | None:
    for one in (module, _home_of(name, module, known)):
        if one is not None and name in one.constants:
            return one.constants[name], one
    return None


def _function(name: str, module: Module, known: Sources) -> tuple[Function, Module] | None:
    for one in (module, _home_of(name, module, known)):
        if one is not None and name in one.functions:
            return one.functions[name], one
    return None


def _home_of(name: str, module: Module, known: Sources) -> Module | None:
    """The module of ours that a name is imported from."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and any((one.asname or one.name) == name for one in node.names):
            path = (node.module or "").replace(".", "/")
            return next((one for one in known.modules if one.path in (f"{path}.py", f"{path}/__init__.py")), None)
    return None


def _returned(call: ast.Call, function: Function, module: Module, place: Place, known: Sources) -> Iterator[str]:
    returns = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
    if not isinstance(function.returns, ast.Name) or function.returns.id != "str" or not returns:
        yield placeholder(call)
        return
    given = arguments(call, function, place)
    found = []
    for value in returns:
        there = Place(Scope(module, (function,)), value.lineno, given, place.depth)
        found += texts(value, there, known)
    if any(map(has_words, found)):
        yield from found
    else:  # it only cuts off, or quotes, what it was given
        yield placeholder(call.args[0] if len(call.args) == 1 else call)


def parameters(function: ast.AST) -> list[str]:
    """The names of a function's parameters, without self."""
    arguments = getattr(function, "args", None)
    if not isinstance(arguments, ast.arguments):
        return []
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [one.arg for one in every if one.arg not in ("self", "cls")]


def arguments(call: ast.Call, function: ast.AST, place: Place) -> dict[str, tuple[ast.expr, Place]]:
    """What a call gives for a function's parameters."""
    given = dict(zip(parameters(function), call.args, strict=False))
    given |= {one.arg: one.value for one in call.keywords if one.arg}
    return {name: (value, place) for name, value in given.items() if not isinstance(value, ast.Starred)}
