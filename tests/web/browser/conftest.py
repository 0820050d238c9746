"""A whole Airflow with the example's two platforms, where YellowForensic has no stream yet, and a browser before it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import axe_playwright_python
import psycopg2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright

from airflow_plugin.demo.airflow import DemoAirflow, run_to_end
from airflow_plugin.demo.api import ENDED
from airflow_plugin.demo.databases import Databases, create_databases
from airflow_plugin.demo.model import DemoModel
from airflow_plugin.demo.postgres import EmbeddedPostgres, free_port
from airflow_plugin.demo.processes import Processes, inherited_environment, python_module
from config_schema import names

LIVE, FORENSIC = "yellowlive", "yellowforensic"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = "DAGFACTORY_SCREENSHOTS"  # the folder that pictures of the pages are to go to
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
PARSED_SECONDS = 120
NEVER = "0 0 30 2 *"  # a sync of the model would bring the stream before a person does, or take theirs
PATIENCE = 45_000  # milliseconds
# More than the guard of deletes takes for a small table.
MORE_ADDRESSES = """
    INSERT INTO addresses (id, "customerId", "streetName", city, state, "zipCode")
    SELECT 'MORE' || n, 'CUST001', 'Long Street ' || n, 'Zurich', 'ZH', '8000' FROM generate_series(1, 192) n
"""
SIZE = {"width": 1360, "height": 860}


@dataclass
class Site:
    """The Airflow, and its databases; `row` is the config that YellowForensic's stream had in the model.

    `admin_dsn` is of the server's superuser.
    """

    airflow: DemoAirflow
    databases: Databases
    environment: dict[str, str]
    row: dict[str, Any]
    admin_dsn: str

    def run(self, *arguments: str) -> str:
        """Run one of the product's commands."""
        return run_to_end(python_module("airflow_plugin", *arguments), self.environment, arguments[0])

    def change_the_source(self, *arguments: str) -> None:
        at = ("--host", self.databases.host, "--port", str(self.databases.port), "--database", "customer_db")
        command = ("simulate", *at, "--user", "producer", "--min-interval", "0", "--max-interval", "0", *arguments)
        run_to_end(python_module("merge_jobs", *command), self.environment, "simulate")

    def wait_for_dag(self, dag_id: str) -> None:
        give_up = time.monotonic() + PARSED_SECONDS
        while self.airflow.api.dag(dag_id) is None:
            self.airflow.check_alive()
            assert time.monotonic() < give_up, f"{dag_id} did not come"
            time.sleep(0.3)

    def wait_for_run(self, dag_id: str, run_id: str) -> None:
        give_up = time.monotonic() + PARSED_SECONDS
        while (state := self.airflow.api.state(dag_id, run_id)) not in ENDED:
            assert time.monotonic() < give_up, f"{run_id} is {state}"
            time.sleep(0.3)
        assert state == "success"

    def produce(self, statement: str) -> None:
        """Run SQL in the producer's database."""
        self.execute("customer_db", statement)

    def administer(self, *statements: str) -> None:
        """Run SQL as the server's superuser, each statement by itself."""
        with contextlib.closing(psycopg2.connect(self.admin_dsn)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            for statement in statements:
                cursor.execute(statement)

    def execute(self, database: str, statement: str, *values: Any) -> None:
        with (
            contextlib.closing(psycopg2.connect(self.databases.dsn(database))) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, values or None)

    def address(self, path: str) -> str:
        return self.airflow.address + path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip("no Chromium here: the pages were not looked at (apt-get install chromium)")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        started = playwright.chromium.launch(executable_path=program, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="session")
def site(browser: Browser) -> Iterator[Site]:
    # Not tmp_path: as root PostgreSQL runs as another user, who cannot walk into pytest's folders.
    with contextlib.ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="site-", ignore_cleanup_errors=True)))
        folder.chmod(0o755)
        server = ends.enter_context(EmbeddedPostgres(folder / "postgres", options={"fsync": "off"}))
        databases = create_databases(server.dsn(), "embedded PostgreSQL", folder / "passwords.json")
        processes = Processes(folder)
        ends.callback(ended, processes)
        site = started_site(folder, databases, processes, server.dsn())
        ends.callback(site.airflow.api.close)
        yield site


def ended(processes: Processes) -> None:
    processes.end()
    for process in processes.started.values():
        process.wait()


def started_site(folder: Path, databases: Databases, processes: Processes, admin_dsn: str) -> Site:
    """As the demo does it: source, model, rows, factory files, and then Airflow."""
    model = DemoModel(folder / "model", databases)
    merge_dsn = databases.dsn("datasurface_merge")
    secrets = model.secrets() | {names.dsn_variable(platform): merge_dsn for platform in (LIVE, FORENSIC)}
    producer = {"SIMULATOR_PASSWORD": databases.passwords["producer"]}
    airflow = DemoAirflow(folder / "airflow", free_port(), databases.dsn("airflow"), secrets, processes)
    site = Site(airflow, databases, inherited_environment() | secrets | producer, {}, admin_dsn)
    site.change_the_source("--create-tables", "--max-changes", "0")
    site.produce(MORE_ADDRESSES)
    model.commit(scheduled=False)
    site.run("sync", str(model.folder), "--yes")
    site.row = taken_row(databases)
    site.run("bootstrap", "--model", str(model.folder), "--out", str(folder / "files"))
    shutil.copytree(folder / "files" / "dags", airflow.dags, dirs_exist_ok=True)
    shutil.copytree(folder / "files" / "settings", airflow.home / "stream_factory", dirs_exist_ok=True)
    for file in (airflow.home / "stream_factory").glob("*.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"infrastructure_schedule": NEVER}))
    airflow.migrate()
    airflow.start()
    for _ in airflow.becoming_healthy():
        pass
    return site


def taken_row(databases: Databases) -> dict[str, Any]:
    """The config of YellowForensic's stream, whose row and history are taken away: a person is to make it."""
    table = names.stream_table(FORENSIC)
    merge = psycopg2.connect(databases.dsn("datasurface_merge"))
    try:
        with merge, merge.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} RETURNING config_json")
            ((text,),) = cursor.fetchall()
            cursor.execute(f"DELETE FROM {names.stream_history_table(FORENSIC)}")
    finally:
        merge.close()
    config: dict[str, Any] = json.loads(text)
    return config


@dataclass
class Looking:
    """A page of the browser, and what went wrong in it."""

    page: Page
    site: Site
    theme: str
    errors: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.site.address(path))
        self.page.locator(".sf-page").wait_for()
        self.page.locator(".sf-page [aria-label=Loading]").first.wait_for(state="detached")

    def picture(self, name: str) -> None:
        """A screenshot, where DAGFACTORY_SCREENSHOTS says."""
        if folder := os.environ.get(SCREENSHOTS):
            self.page.wait_for_timeout(300)  # for what fades in
            self.page.screenshot(path=Path(folder) / f"{name}-{self.theme}.png")

    def barriers(self, where: str = ".sf-page") -> list[str]:
        """What axe finds serious for people who use a keyboard or a screen reader."""
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate(f"axe.run(document.querySelector({json.dumps(where)}))")
        serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
        return [f"{one['id']}: {node['html'][:200]}" for one in serious for node in one["nodes"]]


@pytest.fixture(scope="session")
def login(site: Site, browser: Browser) -> StorageState:
    """What a browser has of a user who has logged in."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    log_in(context.new_page(), site)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(scope="session")
def contexts(browser: Browser, login: StorageState) -> Iterator[dict[str, BrowserContext]]:
    """A session of the user in each theme; each has its cache, Airflow's own script is large."""
    made = {
        theme: browser.new_context(viewport=SIZE, color_scheme=theme, storage_state=login)
        for theme in ("light", "dark")
    }
    for theme, context in made.items():
        context.set_default_timeout(PATIENCE)
        context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    yield made
    for context in made.values():
        context.close()


@pytest.fixture
def looking(site: Site, contexts: dict[str, BrowserContext]) -> Iterator[Callable[..., Looking]]:
    """A function that gives a new page, logged in, in a theme."""
    expect.set_options(timeout=PATIENCE)
    with contextlib.ExitStack() as ends:

        def look(theme: str = "light") -> Looking:
            page = contexts[theme].new_page()
            ends.callback(page.close)
            seen = Looking(page, site, theme)
            page.on("pageerror", lambda error: seen.errors.append(str(error)))
            return seen

        yield look


def log_in(page: Page, site: Site) -> None:
    page.goto(site.address("/plugin/streams"))
    page.get_by_label(re.compile("user", re.IGNORECASE)).fill("admin")
    page.locator("input[type=password]").fill(site.airflow.password)
    page.get_by_role("button", name=re.compile("sign in|log in", re.IGNORECASE)).click()
    page.get_by_role("heading", name="Streams", level=1).wait_for()
