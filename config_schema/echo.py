"""What commands print without colours. Names of rows, models and databases are escaped, so they control no terminal."""

from __future__ import annotations

import sys

from config_schema.printable import printable


def echo(*fields: str, err: bool = False) -> None:
    """Print one line, to standard error if `err`. Fields are separated by tabs; line ends in them are escaped too."""
    print(*map(printable, fields), sep="\t", file=sys.stderr if err else sys.stdout, flush=True)


def echo_text(text: str, *, err: bool = False) -> None:
    """Print a text of several lines."""
    for line in text.split("\n"):
        echo(line, err=err)


def echo_document(text: str) -> None:
    """Print SQL or YAML that another program reads: unchanged into a pipe or file, escaped on a terminal."""
    if sys.stdout.isatty():
        text = "\n".join(map(printable, text.split("\n")))
    sys.stdout.write(text)
    sys.stdout.flush()
