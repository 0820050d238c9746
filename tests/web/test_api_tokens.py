"""Tokens that nobody has given out: the pages' API takes Airflow's own tokens and nothing that looks like one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt import encode

HERE = "/api/me"
ANOTHER = "another-key-of-enough-bytes-for-any-algorithm-that-there-is-in-this-list"


def part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def read(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    head, claims, signature = token.split(".")
    return (*(json.loads(base64.urlsafe_b64decode(one + "==")) for one in (head, claims)), signature)


def signed(head: Mapping[str, Any], claims: Any, key: bytes, digest: str = "sha512") -> str:
    text = f"{part(head)}.{part(claims)}"
    return f"{text}.{part(hmac.new(key, text.encode(), getattr(hashlib, digest)).digest())}"


def forged(real: str, secret: str) -> dict[str, str]:
    head, claims, signature = read(real)
    now, key = int(time.time()), secret.encode()
    admin = {**claims, "sub": "admin"}
    curve, private = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    found = {
        **{
            f"alg {one}": f"{part({**head, 'alg': one})}.{part(admin)}."
            for one in ("none", "None", "NONE", "nOnE", "", None)
        },
        "alg none with a signature": f"{part({**head, 'alg': 'none'})}.{part(admin)}.{signature}",
        "no alg": f"{part({'typ': 'JWT'})}.{part(admin)}.{signature}",
        "no signature": f"{part(head)}.{part(admin)}.",
        "no third part": f"{part(head)}.{part(admin)}",
        "another's signature": f"{part(head)}.{part(admin)}.{signature}",
        "cut signature": real[:-8],
        "another key": encode(admin, ANOTHER, algorithm="HS512", headers=head),
        "an empty key": signed(head, admin, b""),
        "the key's name": signed(head, admin, str(head.get("kid", "not-used")).encode()),
        "a key of this machine's files": signed({**head, "kid": "/dev/null"}, admin, b""),
        "kid above": signed({**head, "kid": "../../../../../../dev/null"}, admin, b""),
        "kid with SQL": signed({**head, "kid": "x' UNION SELECT 'k"}, admin, b"k"),
        "kid with a command": signed({**head, "kid": "|echo k"}, admin, b"k"),
        "kid a list": signed({**head, "kid": ["a"]}, admin, b"k"),
        "its own key": encode(admin, ANOTHER, "HS512", {**head, "jwk": {"kty": "oct", "k": part(ANOTHER.encode())}}),
        "a key elsewhere": encode(
            admin, ANOTHER, "HS512", {**head, "jku": "http://127.0.0.1:1/k", "x5u": "http://127.0.0.1:1/k"}
        ),
        "an elliptic curve's": encode(admin, curve, "ES256"),
        "RSA's": encode(admin, private, "RS256"),
        "nothing for a curve": f"{part({**head, 'alg': 'ES256'})}.{part(admin)}.{part(bytes(64))}",
        "must understand": signed({**head, "crit": ["b64"], "b64": False}, admin, key),
        "expired": encode({**claims, "iat": now - 900, "nbf": now - 900, "exp": now - 600}, secret, "HS512", head),
        "not yet": encode({**claims, "nbf": now + 600}, secret, "HS512", head),
        "from the future": encode({**claims, "iat": now + 600}, secret, "HS512", head),
        "no end": encode({name: of for name, of in claims.items() if name != "exp"}, secret, "HS512", head),
        "an end that is text": encode({**claims, "exp": "never"}, secret, "HS512", head),
        "another audience": encode({**claims, "aud": "urn:another"}, secret, "HS512", head),
        "no audience": encode({name: of for name, of in claims.items() if name != "aud"}, secret, "HS512", head),
        "nobody": encode({name: of for name, of in claims.items() if name != "sub"}, secret, "HS512", head),
        "two tokens": f"{real} {real}",
        "no JSON": f"{part(b'{')}.{part(b'{')}.{signature}",
        "a list": signed(head, ["sub"], key),
        "deep": f"{part(b'[' * 100_000)}.{part(admin)}.{signature}"[:60_000],
        "a NUL": f"{real}%00",
        "text after it": f"{real}.{real}",
    }
    return {name: token for name, token in found.items() if token != real}


def asked(world, **headers: str) -> int:
    with httpx.Client(base_url=f"{world.address}/stream_factory", timeout=30, trust_env=False, verify=False) as client:
        return client.get(HERE, headers=headers).status_code


def test_no_forged_token_is_taken_for_one_of_airflow_s(world):
    real, secret = world.token("viewer"), world.real.environment["AIRFLOW__API_AUTH__JWT_SECRET"]
    assert read(real)[0]["alg"] == "HS512"
    assert encode(read(real)[1], secret, "HS512", read(real)[0])  # as Airflow signs them
    assert asked(world, Authorization=f"Bearer {encode(read(real)[1], secret, 'HS512', read(real)[0])}") == 200
    taken = {}
    for name, token in forged(real, secret).items():
        for way, headers in (
            ("bearer", {"Authorization": f"Bearer {token}"}),
            ("cookie", {"Cookie": f"_token={token}"}),
        ):
            try:
                status = asked(world, **headers)
            except httpx.HTTPError:
                continue  # the server has cut it off, or the client would not send it
            if status not in (400, 401, 403, 431):
                taken[f"{name} as {way}"] = status
    assert taken == {}


@pytest.mark.parametrize(
    "where",
    ["?token={}", "?access_token={}", "?_token={}", "#{}"],
)
def test_a_token_in_an_address_is_none(world, where):
    with httpx.Client(base_url=f"{world.address}/stream_factory", timeout=30, trust_env=False, verify=False) as client:
        assert client.get(HERE + where.format(world.token("admin"))).status_code == 401


def test_a_wrong_token_beside_a_right_one_does_not_make_a_request_another_user_s(world):
    right, wrong = world.token("viewer"), forged(world.token("admin"), "x" * 64)["another key"]
    with httpx.Client(base_url=f"{world.address}/stream_factory", timeout=30, trust_env=False, verify=False) as client:
        answer = client.get(HERE, headers=[("Authorization", f"Bearer {right}"), ("Cookie", f"_token={wrong}")])
        assert answer.status_code in (200, 401)
        if answer.status_code == 200:
            assert answer.json()["name"] == "viewer"
