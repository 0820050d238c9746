"""The pages of docs/reference/, each made of the code or a schema."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from airflow_plugin.provider import get_provider_info
from airflow_plugin.settings import SECTION, Allowed, PlatformSettings
from config_schema.schemas import json_schema
from config_schema.stream import StreamConfig
from tests.docs.error_classes import ROOT, record_new_codes
from tests.docs.errors_page import errors_page
from tests.docs.markdown import cell, code, table
from tests.docs.metrics_page import metrics_page
from tests.docs.schema_page import schema_sections

FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- Made by `make docs`: change the schema or the code, not this. -->\n"


def pages() -> dict[str, str]:
    """The text of each page, by file name."""
    made = {
        "errors.md": errors_page(),
        "config_json.md": _config_json(),
        "ecosystem.md": _ecosystem(),
        "settings.md": _settings(),
        "result.md": _result(),
        "metrics.md": metrics_page(),
    }
    return {name: MADE + text.rstrip() + "\n" for name, text in made.items()}


def write(folder: Path = FOLDER) -> list[str]:
    """Write the pages; the names of those that were not so already."""
    record_new_codes()
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    changed = [name for name, text in made.items() if _text(folder / name) != text]
    for name in changed:
        (folder / name).write_text(made[name], "utf-8")
    return changed


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def _config_json() -> str:
    head = """# config_json

The config of a stream: a row of `<platform>_airflow_dsg` has it as JSON in `config_json`. `dagfactory sync` writes it
from the model, people write it with `dagfactory streams set`. A row that is wrong is [quarantined](errors.md),
and the others load. What a row may name at all, the platform's [settings](settings.md) say.
"""
    return (
        f"{head}\n{schema_sections(json_schema('stream'), 'config_json')}\n{_defaults(StreamConfig, 'Without the key')}"
    )


def _ecosystem() -> str:
    head = """# The model

A model is a folder: `ecosystem.yaml` (or `eco.py`, whose `createEcosystem()` gives the same), and beside it
`dsg_platform_mapping.json`. [An example](../../config_schema/examples/ecosystem.yaml). `dagfactory validate` tells
every problem of one.
"""
    mapping = schema_sections(json_schema("mapping")["items"], "dsg_platform_mapping.json")
    mapping = mapping.replace("\n\n", f"\n\n{cell(json_schema('mapping')['description'])} Each entry:\n\n", 1)
    return f"{head}\n{schema_sections(json_schema('ecosystem'), 'ecosystem.yaml')}\n{mapping}"


def _settings() -> str:
    head = """# Settings

What is set outside of rows: the settings file of a platform, which `dagfactory bootstrap` writes from the model, and
where the product finds it.
"""
    options = get_provider_info()["config"][SECTION]["options"]
    rows = [(code(key), cell(one["description"]), code(one["example"] or "")) for key, one in options.items()]
    cfg = table((f"airflow.cfg `[{SECTION}]`", "what it is", "example"), rows)
    dsn = (
        "The merge store's DSN is in `DAGFACTORY_<PLATFORM>_DSN`, or the Airflow connection `dagfactory_<platform>`, "
        "with what is no letter or digit of the platform's name as `_`.\n"
    )
    file = schema_sections(json_schema("settings"), "The settings file")
    defaults = _defaults(PlatformSettings, "Without the key"), _defaults(Allowed, "Without the key of `allowed`")
    return "\n".join((head, cfg, dsn, file, *defaults))


def _result() -> str:
    head = """# The result line

A merge job ends its log with two lines. The first is believed only with the token that its try got in
`DATASURFACE_RESULT_TOKEN`; the second is for people. The code is 0 DONE, 1 KEEP_WORKING (run again at once) or
-1 ERROR.

```
DATASURFACE_RESULT={"code": 0, ...}
DATASURFACE_RESULT_CODE=0
```
"""
    return f"{head}\n{schema_sections(json_schema('result'), 'The JSON')}"


def _defaults(of: type[Any], head: str) -> str:
    """What a key is where it is not given, if that is something."""
    rows = [
        (code(one.name), code(json.dumps(one.default)))
        for one in fields(of)
        if one.default not in (MISSING, None, "", ()) and isinstance(one.default, str | int | float | bool | tuple)
    ]
    return f"### {head}\n\n{table(('key', 'it is'), rows)}"
