"""The TLS of a connection to a database: whether it is used, and how the server's certificate is verified. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

# Where pods have the CAs that the model names by a Secret or ConfigMap: FOLDER/<name>/ca.crt.
CA_FOLDER = "/etc/dagfactory/tls"
CA_KEY = "ca.crt"
# Where operating systems keep the CAs that they trust.
SYSTEM_CAS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class Tls(Enum):
    """The values of `tls`, the weakest first."""

    DISABLE = "disable"  # never: the network is trusted, also with a password in clear text
    REQUIRE = "require"  # TLS, with whatever certificate the server shows
    VERIFY_CA = "verify-ca"  # and the CA has signed it
    VERIFY_FULL = "verify-full"  # and it is for the host that was asked for

    @property
    def verifies(self) -> bool:
        """Whether the server's certificate is verified."""
        return self in (Tls.VERIFY_CA, Tls.VERIFY_FULL)


def strongest(*modes: Tls | None) -> Tls | None:
    """Return the strongest of the given modes; None without any."""
    order = list(Tls)
    return max((mode for mode in modes if mode is not None), key=order.index, default=None)


def ca_secret(ca: str | None) -> str | None:
    """Return the Secret or ConfigMap that `tls_ca` names; None if it is the path of a file."""
    return None if ca is None or ca.startswith("/") else ca


def ca_file(ca: str) -> str:
    """Return the path of the file with the certificates of a `tls_ca`."""
    return ca if ca.startswith("/") else f"{CA_FOLDER}/{ca}/{CA_KEY}"


def trusted_cas(ca: str | None) -> str:
    """Return the file that verifies a server's certificate: that of `tls_ca`, or the operating system's."""
    if ca is not None:
        return ca_file(ca)
    import ssl  # a parse of DAG files has no use for it

    found = ssl.get_default_verify_paths().cafile  # SSL_CERT_FILE, or where Python's OpenSSL has it
    return found or next((path for path in SYSTEM_CAS if Path(path).exists()), SYSTEM_CAS[0])


def libpq_options(mode: Tls | None, ca: str | None) -> dict[str, str]:
    """Return libpq's parameters for a mode; None leaves everything to libpq's environment and defaults.

    SCRAM's channel binding is libpq's default if the server offers it.
    """
    if mode is None:
        return {}
    # Encryption by Kerberos would take the place of TLS.
    options = {"sslmode": mode.value, "gssencmode": "disable"}
    if mode.verifies:
        options["sslrootcert"] = trusted_cas(ca)
    return options


def is_local(host: str) -> bool:
    """Return whether a host is a socket or this machine itself: nobody stands between. Of several, all must be."""
    return all(map(_is_local, host.split(",")))


def is_address(host: str) -> bool:
    """Return whether a host is an address, or this machine by its usual name, so that no name server is asked."""
    if host == "localhost":
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_local(host: str) -> bool:
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


# --- A password in clear text, where nothing says whether there is to be TLS

LEAST_LIBPQ = 160000  # that can refuse one (require_auth)
MAY_DO_WITHOUT = ("", "allow", "prefer")  # the values of sslmode by which libpq does without TLS
CLEAR_TEXT_REFUSED = "requested a cleartext password"  # in libpq's errors
TLS_NOT_OFFERED = "server does not support SSL"

Session = TypeVar("Session")


def clear_text_only_in_tls(
    attempt: Callable[[dict[str, str]], Session],
    options: Mapping[str, str],
    environment: Mapping[str, str],
    libpq: int,
    failure: type[Exception],
) -> Session:
    """Return what `attempt` gives for further parameters of libpq; `options` are those that it has anyway.

    A server may ask for the password in clear text. Where neither the parameters nor the environment say anything of
    TLS, libpq would send it to whoever asks: a first attempt refuses that, and a second one is in TLS. An older libpq
    than LEAST_LIBPQ cannot refuse it. Raises what `attempt` raises.
    """
    if not may_send_clear_text(options, environment) or libpq < LEAST_LIBPQ:
        return attempt({})
    try:
        return attempt({"require_auth": "!password"})
    except failure as error:
        if CLEAR_TEXT_REFUSED not in str(error):
            raise
        refused = error
    try:
        return attempt({"sslmode": Tls.REQUIRE.value, "gssencmode": "disable"})
    except failure as error:
        raise (refused if TLS_NOT_OFFERED in str(error) else error) from None


def may_send_clear_text(options: Mapping[str, str], environment: Mapping[str, str]) -> bool:
    """Return whether libpq left to itself would send the password in clear text without TLS, with these parameters."""
    mode = options.get("sslmode") or environment.get("PGSSLMODE") or ""
    return mode in MAY_DO_WITHOUT and not (options.get("require_auth") or environment.get("PGREQUIREAUTH"))
