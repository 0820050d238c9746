"""Draws the next change, to one customer and their addresses, from a seeded Random. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Any, assert_never

from merge_jobs.simulator import people

Row = Mapping[str, Any]  # a value by column name


class ChangeKind(Enum):
    """The kinds of changes."""

    NEW_CUSTOMER = "new_customer"
    UPDATE_CUSTOMER = "update_customer"
    NEW_ADDRESS = "new_address"
    UPDATE_ADDRESS = "update_address"
    DELETE_ADDRESS = "delete_address"


# In a hundred changes. Somebody with one address keeps it and gets another one instead.
WEIGHTS = {
    ChangeKind.NEW_CUSTOMER: 15,
    ChangeKind.UPDATE_CUSTOMER: 35,
    ChangeKind.NEW_ADDRESS: 15,
    ChangeKind.UPDATE_ADDRESS: 20,
    ChangeKind.DELETE_ADDRESS: 15,
}

CUSTOMER_VALUES: Mapping[str, Callable[[Random], Any]] = {
    "firstName": people.first_name,
    "lastName": people.last_name,
    "email": people.email,
    "phone": people.phone,
}


@dataclass(frozen=True)
class Household:
    """A customer, and their addresses in the order of ids."""

    customer: Row
    addresses: tuple[Row, ...]

    @property
    def points_at(self) -> frozenset[str | None]:
        """The ids of the addresses that the customer refers to."""
        return frozenset((self.customer["primaryAddressId"], self.customer["billingAddressId"]))


@dataclass(frozen=True)
class FreeIds:
    """The ids that a new customer and a new address get."""

    customer: str
    address: str


@dataclass(frozen=True)
class Insert:
    """A row to insert."""

    table: str
    values: Row


@dataclass(frozen=True)
class Update:
    """Values to set in a row."""

    table: str
    id: str
    values: Row


@dataclass(frozen=True)
class Delete:
    """A row to delete."""

    table: str
    id: str


RowChange = Insert | Update | Delete


@dataclass(frozen=True)
class CustomerChange:
    """One transaction: the rows that change, in an order in which the foreign keys always hold."""

    kind: ChangeKind
    id: str  # of the customer or the address that the kind speaks of
    rows: tuple[RowChange, ...]


def next_change(random: Random, household: Household | None, free: FreeIds) -> CustomerChange:
    """Return a change to the household, or a new customer; for None, the first customer."""
    kind = random.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))[0]
    if household is None or kind is ChangeKind.NEW_CUSTOMER:
        return _new_customer(random, free)
    match kind:
        case ChangeKind.UPDATE_CUSTOMER:
            return _update_customer(random, household)
        case ChangeKind.UPDATE_ADDRESS if household.addresses:
            return _update_address(random, household)
        case ChangeKind.DELETE_ADDRESS if len(household.addresses) > 1:
            return _delete_address(random, household)
        case ChangeKind.NEW_ADDRESS | ChangeKind.UPDATE_ADDRESS | ChangeKind.DELETE_ADDRESS:
            return _new_address(random, household, free)
        case _:
            assert_never(kind)


def _new_customer(random: Random, free: FreeIds) -> CustomerChange:
    person = {column: draw(random) for column, draw in CUSTOMER_VALUES.items()}
    # Without the addresses at first: they point at the customer in turn.
    customer = Insert("customers", {"id": free.customer, **person, "dob": people.birthday(random)})
    home = {"primaryAddressId": free.address, "billingAddressId": random.choice((free.address, None))}
    rows = (customer, _address(random, free.address, free.customer), Update("customers", free.customer, home))
    return CustomerChange(ChangeKind.NEW_CUSTOMER, free.customer, rows)


def _update_customer(random: Random, household: Household) -> CustomerChange:
    customer = household.customer
    billing = [row["id"] for row in household.addresses if row["id"] != customer["billingAddressId"]]
    columns = [*CUSTOMER_VALUES, "billingAddressId"] if billing else list(CUSTOMER_VALUES)
    values: dict[str, Any] = {}
    for column in random.sample(columns, random.choice((1, 1, 2))):
        if column == "billingAddressId":
            values[column] = random.choice(billing)
        else:
            values[column] = people.other(random, CUSTOMER_VALUES[column], customer[column])
    return CustomerChange(ChangeKind.UPDATE_CUSTOMER, customer["id"], (Update("customers", customer["id"], values),))


def _new_address(random: Random, household: Household, free: FreeIds) -> CustomerChange:
    customer = household.customer
    rows: list[RowChange] = [_address(random, free.address, customer["id"])]
    column = "primaryAddressId" if customer["primaryAddressId"] is None else "billingAddressId"
    if customer[column] is None or random.random() < 0.3:
        rows.append(Update("customers", customer["id"], {column: free.address}))
    return CustomerChange(ChangeKind.NEW_ADDRESS, free.address, tuple(rows))


def _update_address(random: Random, household: Household) -> CustomerChange:
    address = random.choice(household.addresses)
    values: dict[str, Any] = {"streetName": people.other(random, people.street, address["streetName"])}
    if random.random() < 0.5:
        values |= people.town(random)
    return CustomerChange(ChangeKind.UPDATE_ADDRESS, address["id"], (Update("addresses", address["id"], values),))


def _delete_address(random: Random, household: Household) -> CustomerChange:
    spare = [row for row in household.addresses if row["id"] not in household.points_at]
    gone: str = random.choice(spare or household.addresses)["id"]
    kept = [row["id"] for row in household.addresses if row["id"] != gone]
    customer = household.customer
    moved = {
        column: random.choice(kept) for column in ("primaryAddressId", "billingAddressId") if customer[column] == gone
    }
    delete = Delete("addresses", gone)
    rows = (Update("customers", customer["id"], moved), delete) if moved else (delete,)
    return CustomerChange(ChangeKind.DELETE_ADDRESS, gone, rows)


def _address(random: Random, address: str, customer: str) -> Insert:
    place = {"streetName": people.street(random), **people.town(random)}
    return Insert("addresses", {"id": address, "customerId": customer, **place})
