"""One api-server for all tests of the API; each file finds streams, histories and runs as they were filled in."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema import names
from tests.web.world import World, airflow_with_plugin, fill

USER = "merge_owner"  # of the merge stores that are away


@pytest.fixture(scope="session")
def filled_world(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        postgres.create_role(USER, "another word")
        places = {
            "SilentLive": f"127.0.0.1:{silent.getsockname()[1]}",
            "ClosedLive": "127.0.0.1:1",
            "WrongLive": f"127.0.0.1:{urlsplit(postgres.dsn('x', USER, 'x')).port}",
            "UnknownLive": "nowhere.invalid:5432",
        }
        away = {
            names.dsn_variable(names.platform_name(one)): f"postgresql://{USER}:secretword@{place}/x"
            for one, place in places.items()
        }
        with airflow_with_plugin(postgres, tmp_path_factory.mktemp("web"), **away) as world:
            fill(world)
            world.start()
            yield world


@pytest.fixture(scope="module")
def world(filled_world: World) -> World:
    filled_world.put_back()
    return filled_world


@pytest.fixture
def client(world: World) -> Iterator[Callable[[str | None], httpx.Client]]:
    """A function that gives a client of a user, or of nobody."""
    made: list[httpx.Client] = []

    def make(user: str | None = "admin") -> httpx.Client:
        made.append(world.client(user))
        return made[-1]

    yield make
    for one in made:
        one.close()
