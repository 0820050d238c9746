"""Changes that can be distinguished: a row gets the number of the change, whose time is kept here."""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from threading import Event

from merge_jobs.simulator.run import Connect

ROWS = 50
LIKE = "STAMP%"
MAKE = """
    INSERT INTO customers (id, "firstName", "lastName", dob, phone)
    SELECT 'STAMP' || row, 'Stamp', 'Stamp', '2000-01-01', '' FROM generate_series(0, %(rows)s - 1) row
    ON CONFLICT (id) DO NOTHING
"""
STAMP = "UPDATE customers SET phone = %(stamp)s WHERE id = %(id)s"
# The simulator gives phone numbers to these customers too.
NEWEST = "SELECT max(substring(phone FROM %(pattern)s)::int) FROM {view} WHERE id LIKE %(like)s"


@dataclass
class Stamps:
    """Stamps one row after another, at random moments; `at` is when each change began to be made, by its number.

    `series` tells them from stamps of other runs.
    """

    producer: Connect
    random: Random
    mean_seconds: float
    at: list[float] = field(default_factory=list)
    series: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def asked(self) -> dict[str, str]:
        """The values with which NEWEST finds the number of the newest stamp."""
        return {"like": LIKE, "pattern": f"^stamp {self.series} ([0-9]+)$"}

    def run_until(self, stop: Event) -> None:
        with closing(self.producer()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(MAKE, {"rows": ROWS})
            while not stop.wait(self.random.uniform(0, 2 * self.mean_seconds)):
                number = len(self.at)
                began = time.time()
                cursor.execute(STAMP, {"stamp": f"stamp {self.series} {number}", "id": f"STAMP{number % ROWS}"})
                self.at.append(began)
