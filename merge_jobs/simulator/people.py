"""Invented names, contacts and addresses. Domains and telephone numbers are from the ranges reserved for examples."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import TypeVar

FIRST_NAMES = ("Amara", "Bao", "Carlos", "Delphine", "Erik", "Fatima", "Goran", "Hana", "Ines", "Jörg", "Kofi", "Zoë")
LAST_NAMES = ("Abara", "Bianchi", "Costa", "D'Souza", "Eriksen", "Fischer", "Gupta", "Holm", "Ito", "Müller", "O'Brien")
STREETS = ("Bay Road", "Castle Street", "Elm Avenue", "Foundry Lane", "Garden Court", "King's Parade", "Quay Street")
TOWNS = (("Albany", "NY", "122"), ("Boise", "ID", "837"), ("Fargo", "ND", "581"), ("Salem", "OR", "973"))
FIRST_BIRTHDAY = date(1940, 1, 1)
DAYS_OF_BIRTH = 365 * 65

T = TypeVar("T")


def other(random: Random, draw: Callable[[Random], T], than: T) -> T:
    """Return a draw that differs from the value, so that an update changes something."""
    while (drawn := draw(random)) == than:
        pass
    return drawn


def first_name(random: Random) -> str:
    """Return a random first name."""
    return random.choice(FIRST_NAMES)


def last_name(random: Random) -> str:
    """Return a random last name."""
    return random.choice(LAST_NAMES)


def birthday(random: Random) -> date:
    """Return a random date of birth."""
    return FIRST_BIRTHDAY + timedelta(days=random.randrange(DAYS_OF_BIRTH))


def email(random: Random) -> str:
    """Return a random e-mail address in example.com."""
    return f"person.{random.randrange(10_000_000):07d}@example.com"


def phone(random: Random) -> str | None:
    """Return a telephone number, or sometimes None."""
    return f"{random.randrange(200, 1000)}-555-01{random.randrange(100):02d}" if random.random() < 0.9 else None


def street(random: Random) -> str:
    """Return a random street and house number."""
    return f"{random.randrange(1, 2000)} {random.choice(STREETS)}"


def town(random: Random) -> dict[str, str]:
    """Return the city, state and zip code of a random place."""
    city, state, zip_start = random.choice(TOWNS)
    return {"city": city, "state": state, "zipCode": f"{zip_start}{random.randrange(100):02d}"}
