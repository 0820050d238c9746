"""A man in the middle: offers no TLS, asks for the password in clear text, and keeps what it is given."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
SALT = b"12345678901234567890"


class Middle:
    """Listens at 127.0.0.1:`port`; `heard` is all that clients have sent after they were asked for a password."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard = b""
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @contextmanager
    def listening(self) -> Iterator[Middle]:
        self._thread.start()
        try:
            yield self
        finally:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with client, suppress(OSError, struct.error):
                client.settimeout(60)  # longer than anybody waits to connect: an attempt that failed must not stay open
                self.talk(client)

    def talk(self, client: socket.socket) -> None:
        raise NotImplementedError


class PostgresMiddle(Middle):
    without_tls = 0  # clients that have gone on without it

    def talk(self, client: socket.socket) -> None:
        while True:
            (length,) = struct.unpack("!I", _exactly(client, 4))
            request = _exactly(client, length - 4)
            if struct.unpack("!I", request[:4])[0] not in (SSL_REQUEST, GSS_REQUEST):
                break
            client.sendall(b"N")
        self.without_tls += 1
        client.sendall(b"R" + struct.pack("!II", 8, 3))  # AuthenticationCleartextPassword
        self.heard += client.recv(4096)


class MySqlMiddle(Middle):
    """Asks for the password by one of MySQL's ways to log in that show it; `revealed` is what it can read of it."""

    def __init__(self, plugin: str, begin_with: str = "mysql_native_password") -> None:
        super().__init__()
        self.plugin, self._begin_with = plugin, begin_with
        self._key = rsa.generate_private_key(65537, 2048)

    def talk(self, client: socket.socket) -> None:
        self._send(client, 0, _greeting(self._begin_with))
        number, _ = self._read(client)
        if self.plugin != self._begin_with:
            self._send(client, number + 1, b"\xfe" + self.plugin.encode() + b"\0" + self._question())
            number, answer = self._read(client)
            self.heard += answer
        if self.plugin == "caching_sha2_password":
            self._send(client, number + 1, b"\x01\x04")  # nothing is cached: the password itself
            number, answer = self._read(client)
            self.heard += answer
        if self.plugin in ("caching_sha2_password", "sha256_password"):
            public = self._key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            self._send(client, number + 1, b"\x01" + public)
            _, answer = self._read(client)
            self.heard += answer + self._decrypted(answer)

    def _question(self) -> bytes:
        return b"\x05Password: " if self.plugin == "dialog" else SALT + b"\0"

    def _decrypted(self, answer: bytes) -> bytes:
        oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
        try:
            mixed = self._key.decrypt(answer, oaep)
        except ValueError:
            return b""
        return bytes(byte ^ SALT[i % len(SALT)] for i, byte in enumerate(mixed))

    def _send(self, client: socket.socket, number: int, payload: bytes) -> None:
        client.sendall(struct.pack("<I", len(payload))[:3] + bytes([number % 256]) + payload)

    def _read(self, client: socket.socket) -> tuple[int, bytes]:
        head = _exactly(client, 4)
        return head[3], _exactly(client, int.from_bytes(head[:3], "little"))


def _greeting(plugin: str) -> bytes:
    long_password, with_db, protocol_41, secure, plugins = 1, 8, 0x200, 0x8000, 0x80000
    flags = long_password | with_db | protocol_41 | secure | plugins
    return (
        b"\x0a8.0.30\0"
        + struct.pack("<I", 1)
        + SALT[:8]
        + b"\0"
        + struct.pack("<H", flags & 0xFFFF)
        + b"\x2d"
        + struct.pack("<H", 2)
        + struct.pack("<H", flags >> 16)
        + bytes([len(SALT) + 1])
        + b"\0" * 10
        + SALT[8:]
        + b"\0"
        + plugin.encode()
        + b"\0"
    )


def _exactly(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = client.recv(size - len(found))
        if not part:
            raise OSError("the client is gone")
        found += part
    return found
