"""Files with the DSNs of logins, one for each component; only their owner can read them, and git ignores them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg2
from psycopg2.extensions import parse_dsn

from config_schema import names
from config_schema.errors import FileMalformed, FileUnreadable, FileUnwritable
from config_schema.sql.component_logins import Duty

FOLDER = "logins"
COMPONENTS = {
    Duty.READER: "dag-processor",
    Duty.WORKER: "worker",
    Duty.PAGES: "api-server",
    Duty.SYNC: "sync",
}


def variable(platform: str, duty: Duty) -> str:
    """Return the environment variable from which the component reads its DSN."""
    return names.web_dsn_variable(platform) if duty is Duty.PAGES else names.dsn_variable(platform)


@dataclass(frozen=True)
class LoginFiles:
    """The files of a folder `logins`: lines KEY=VALUE, for an environment file or `kubectl --from-env-file`."""

    folder: Path

    def path(self, duty: Duty) -> Path:
        """Return the file of the component with this duty."""
        return self.folder / f"{COMPONENTS[duty]}.env"

    def password(self, platform: str, duty: Duty) -> str | None:
        """Return the password that the file has for the platform's login; None if it has none.

        Raises FileMalformed if the login's DSN in the file is not well-formed.
        """
        dsn = self._lines(duty).get(variable(platform, duty))
        try:
            return parse_dsn(dsn).get("password") if dsn else None
        except (psycopg2.Error, UnicodeError):
            what = f"{variable(platform, duty)} in it is no well-formed DSN"
            raise FileMalformed(self.path(duty), what, "Remove the line: a new password is made") from None

    def keep(self, platform: str, duty: Duty, place: Mapping[str, str], login: tuple[str, str]) -> Path:
        """Write the DSN of a login, a role and its password, into its file; return the file.

        `place` has host, port, dbname and the DSN's other parameters. Raises StreamFactoryError.
        """
        path = self.path(duty)
        lines = self._lines(duty) | {variable(platform, duty): _url(place, login)}
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / ".gitignore").write_text("*\n")
            handle, name = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".part")  # for its owner only
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.writelines(f"{key}={value}\n" for key, value in sorted(lines.items()))
            Path(name).replace(path)
        except OSError as error:
            todo = "Choose another folder with --out, that you may write"
            raise FileUnwritable(path, error, todo) from error
        return path

    def _lines(self, duty: Duty) -> dict[str, str]:
        try:
            text = self.path(duty).read_text("utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            todo = "Choose another folder with --out, or correct this file"
            raise FileUnreadable(self.path(duty), error, todo) from error
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _url(place: Mapping[str, str], login: tuple[str, str]) -> str:
    """Return the DSN as a URL, which needs no quotes in such a file."""
    user, password, database = (quote(text, safe="") for text in (*login, place.get("dbname", "")))
    more = {key: value for key, value in place.items() if key != "dbname"}
    address = ""
    if (host := more.get("host", "")) and not host.startswith("/") and "," not in host:
        address = f"[{host}]" if ":" in host else quote(host, safe="")
        address += f":{more.pop('port', '5432')}"
        del more["host"]
    asked = f"?{urlencode(more, quote_via=quote)}" if more else ""
    return f"postgresql://{user}:{password}@{address}/{database}{asked}"
