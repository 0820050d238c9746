"""Which addresses an API's name has, and which of them may be connected to. A name is resolved once for a batch."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from merge_jobs.sources.rest.errors import ApiNotReached, ServerRefused

CONNECT_SECONDS = 30
# An IPv4 address stands in the last 32 bits: behind a translator, and in two forms that are out of use.
TRANSLATED = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")))
# Of no use on the internet, whatever the tables of this version of Python say.
NOT_PUBLIC = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", *map(str, TRANSLATED[1:]), "fec0::/10")))
NOT_PUBLIC += tuple(map(ip_network, ("3fff::/20", "5f00::/16")))
# Where clouds say who a machine is, beside link-local addresses.
METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")))
Address = IPv4Address | IPv6Address


def admitted_addresses(host: str, port: int, where: str, *, admits_private: bool) -> list[str]:
    """Return the addresses of a host. Raises ServerRefused if one of them may not be asked, ApiNotReached if none is.

    Whoever asks goes on with these: what the name means at the next look would be unchecked.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        what = "the name of its host has no address"
        raise ApiNotReached(where, what, "Check the host in the model, and the network", retryable=True) from error
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    for text in addresses:
        refused = _why_not(text, admits_private=admits_private)
        if refused:
            todo = "Correct the host in the model"
            if refused == PRIVATE:
                todo += f", or add private:{host}:{port} to allowed.source_hosts if this network is meant"
            raise ServerRefused(where, f"the name of its host leads to {refused}", todo)
    return addresses


PRIVATE = "an address of a private network"


def _why_not(text: str, *, admits_private: bool) -> str | None:
    meant = list(_meant(ip_address(text.partition("%")[0])))
    if any(one.is_unspecified or one.is_multicast or one.is_link_local or one in METADATA for one in meant):
        return "an address that no API has"  # that of a cloud's metadata, for one
    return None if admits_private or all(map(_is_public, meant)) else PRIVATE


def _is_public(address: Address) -> bool:
    return address.is_global and not any(address in one for one in NOT_PUBLIC)


def _meant(address: Address) -> Iterator[Address]:
    """Yield an address, and the one of IPv4 that stands in it."""
    if isinstance(address, IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if any(address in one for one in TRANSLATED):
            inner.append(IPv4Address(address.packed[-4:]))
        if address.ipv4_mapped is None:
            yield address
        yield from (one for one in inner if one is not None)
    else:
        yield address


def connected(addresses: Sequence[str], port: int, seconds: float) -> socket.socket:
    """Return a connection to the first of the addresses that answers. Raises OSError if none does."""
    failed: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, port), min(seconds, CONNECT_SECONDS))
        except OSError as error:
            failed = failed or error
    raise failed or OSError("no address")
