"""Which change the simulator chooses: pure, so thousands of them are drawn here."""

from __future__ import annotations

from random import Random

from merge_jobs.simulator.change import (
    ChangeKind,
    CustomerChange,
    Delete,
    FreeIds,
    Household,
    Insert,
    Update,
    next_change,
)

DRAWS = 3000


class Households:
    """The producer's tables in memory, with its foreign keys checked row by row."""

    def __init__(self) -> None:
        self.customers: dict[str, dict] = {}
        self.addresses: dict[str, dict] = {}
        self.numbers = [0, 0]

    def free(self) -> FreeIds:
        return FreeIds(f"CUST{self.numbers[0] + 1:03d}", f"ADDR{self.numbers[1] + 1:03d}")

    def pick(self, random: Random) -> Household | None:
        if not self.customers:
            return None
        customer = random.choice(list(self.customers.values()))
        own = [row for row in self.addresses.values() if row["customerId"] == customer["id"]]
        return Household(customer, tuple(own))

    def apply(self, change: CustomerChange) -> None:
        for row in change.rows:
            table = getattr(self, row.table)
            match row:
                case Insert():
                    assert row.values["id"] not in table
                    table[row.values["id"]] = dict(row.values)
                    if row.table == "customers":
                        table[row.values["id"]] |= {"primaryAddressId": None, "billingAddressId": None}
                    self.numbers[row.table == "addresses"] += 1
                case Update():
                    before = dict(table[row.id])
                    table[row.id] |= row.values
                    assert table[row.id] != before
                case Delete():
                    del table[row.id]
            self.check()

    def check(self) -> None:
        assert all(row["customerId"] in self.customers for row in self.addresses.values())
        for customer in self.customers.values():
            for column in ("primaryAddressId", "billingAddressId"):
                address = customer[column]
                assert address is None or self.addresses[address]["customerId"] == customer["id"]


def test_changes_keep_every_foreign_key_after_every_row_and_every_customer_an_address():
    random, households = Random(7), Households()
    kinds = set()
    for _ in range(DRAWS // 10):
        change = next_change(random, households.pick(random), households.free())
        households.apply(change)
        kinds.add(change.kind)
        assert all(customer["primaryAddressId"] for customer in households.customers.values())
    assert kinds == set(ChangeKind)


def test_without_a_customer_the_first_change_is_a_new_one():
    for seed in range(50):
        change = next_change(Random(seed), None, FreeIds("CUST001", "ADDR001"))
        assert (change.kind, change.id) == (ChangeKind.NEW_CUSTOMER, "CUST001")


def test_the_only_address_of_a_customer_is_never_deleted():
    customer = {
        "id": "CUST001",
        "firstName": "A",
        "lastName": "B",
        "email": None,
        "phone": None,
        "primaryAddressId": "ADDR001",
        "billingAddressId": None,
    }
    address = {"id": "ADDR001", "customerId": "CUST001", "streetName": "1 Elm", "city": "", "state": "", "zipCode": ""}
    random = Random(1)
    kinds = {
        next_change(random, Household(customer, (address,)), FreeIds("CUST002", "ADDR002")).kind for _ in range(DRAWS)
    }
    assert kinds == set(ChangeKind) - {ChangeKind.DELETE_ADDRESS}


def test_a_customer_found_without_addresses_gets_one_or_is_updated():
    customer = {
        "id": "CUST001",
        "firstName": "A",
        "lastName": "B",
        "email": None,
        "phone": None,
        "primaryAddressId": None,
        "billingAddressId": None,
    }
    random = Random(1)
    for _ in range(DRAWS):
        change = next_change(random, Household(customer, ()), FreeIds("CUST002", "ADDR002"))
        assert change.kind not in (ChangeKind.UPDATE_ADDRESS, ChangeKind.DELETE_ADDRESS)
        if change.kind is ChangeKind.NEW_ADDRESS:
            assert Update("customers", "CUST001", {"primaryAddressId": "ADDR002"}) in change.rows
