"""Names of rows, models and producers on a terminal: text that neither styles itself nor controls it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import typer
from rich.table import Table
from rich.text import Text

from airflow_plugin.cli.doctor import print_findings
from airflow_plugin.cli.messages import confirm, print_error, print_message
from airflow_plugin.cli.streams_view import print_history, print_stream, print_streams
from airflow_plugin.control.stream_table import StreamRow, Version
from airflow_plugin.doctor.finding import Area
from airflow_plugin.doctor.versions import AIRFLOW_IS_INSTALLED
from config_schema.echo import echo, echo_document, echo_text
from config_schema.errors import CommandWrong
from config_schema.terminal import PlainConsole

HOSTILE = "[red]x[/red][link=http://evil]y[/link][/]\x1b[2J\x1b]8;;http://evil\x07\r\u202e\u2028\ud800:skull:"
# Rich leaves out the bell and the carriage return itself.
SHOWN = "[red]x[/red][link=http://evil]y[/link][/]\\x1b[2J\\x1b]8;;http://evil\\u202e\\u2028\\ud800:skull:"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = '{"schedule": "\\u001b[2J[red]", "runner": "[/]"}'


@pytest.mark.parametrize("make", [str, Text, lambda text: Text(text, "bold")], ids=["text", "Text", "styled"])
def test_a_console_prints_a_text_as_it_is_with_escapes(make, capsys):
    PlainConsole().print(make(HOSTILE), soft_wrap=True)
    assert capsys.readouterr().out == SHOWN + "\n"


def test_a_console_prints_lines_as_lines_and_colours_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    PlainConsole().print(Text("a\nb\x1b[1m", "red"))
    assert capsys.readouterr().out == "\x1b[31ma\x1b[0m\n\x1b[31mb\\x1b[1m\x1b[0m\n"


def test_a_cell_of_a_table_is_text_too(capsys):
    table = Table("heading")
    table.add_row("[red]x[/]\x1b[2J\u202e:skull:")
    console = PlainConsole()
    console.width = 200
    console.print(table)
    shown = capsys.readouterr().out  # a cell is as wide as the text without escapes, which may cut their end
    assert "[red]x[/]\\x1b[2J" in shown
    assert [line for line in shown.split("\n") if not line.isprintable()] == []


def row(**changes) -> StreamRow:
    values = {"stream_key": HOSTILE, "status": HOSTILE, "config_json": CONFIG, "created_at": NOW, "updated_at": NOW}
    return StreamRow(**{**values, **changes})


def version() -> Version:
    return Version(1, HOSTILE, HOSTILE, HOSTILE, NOW, HOSTILE, CONFIG, "[red]a\x1b", "{}", "[red]b\x1b")


@pytest.mark.parametrize(
    "show",
    [
        lambda: print_streams([row()], {}),
        lambda: print_stream(row(), None, []),
        lambda: print_stream(row(config_json=HOSTILE), None, []),
        lambda: print_history([version()]),
        lambda: print_findings([Area(HOSTILE, HOSTILE).error(AIRFLOW_IS_INSTALLED, HOSTILE, HOSTILE)]),
        lambda: print_error(CommandWrong(HOSTILE, HOSTILE, HOSTILE)),
        lambda: print_message(HOSTILE),
    ],
    ids=["streams", "stream", "broken config", "history", "doctor", "error", "talk"],
)
def test_what_a_command_shows_of_hostile_names_has_no_control_characters_and_no_markup(show, capsys):
    show()
    shown = "".join(capsys.readouterr())
    assert "[red]" in shown
    assert [line for line in shown.split("\n") if not line.isprintable()] == []


@pytest.mark.parametrize("err", [False, True])
def test_a_plain_line_is_one_line_of_text(err, capsys):
    echo("a\nb", HOSTILE, err=err)
    shown = "".join(capsys.readouterr())
    assert shown.startswith("a\\nb\t[red]x[/red]")
    assert shown.count("\n") == 1
    assert shown.replace("\t", "").removesuffix("\n").isprintable()


def test_lines_of_a_text_stay_lines(capsys):
    echo_text("{\n  \x1b[2J\n}")
    assert capsys.readouterr().out == "{\n  \\x1b[2J\n}\n"


@pytest.mark.parametrize(("terminal", "shown"), [(False, "a: \u202eb\n"), (True, "a: \\u202eb\n")])
def test_a_document_is_itself_in_a_pipe_and_escaped_on_a_terminal(terminal, shown, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    echo_document("a: \u202eb\n")
    assert capsys.readouterr().out == shown


def test_a_question_holds_names_as_text(monkeypatch):
    asked = []
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(typer, "confirm", lambda text, **_: asked.append(text))
    confirm(f"Drop the tables of {HOSTILE}?")
    assert asked[0].isprintable()
