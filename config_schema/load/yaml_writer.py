"""YAML that people review: characters that are invisible or reverse the direction of text are escaped."""

from __future__ import annotations

from typing import Any

import yaml

from config_schema.printable import printable


class VisibleDumper(yaml.SafeDumper):
    """Writes a text with such characters in double quotes, in which YAML has escapes."""


def _is_shown(character: str) -> bool:
    return character == "\n" or printable(character) == character


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None if all(map(_is_shown, value)) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)


VisibleDumper.add_representer(str, _text)


def dumped(data: Any, dumper: type[VisibleDumper] = VisibleDumper) -> str:
    """Return data as YAML, with its keys in order; line ends are the only control characters."""
    text: str = yaml.dump(data, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120)
    return "\n".join(map(printable, text.split("\n")))
