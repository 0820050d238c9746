"""An upgrade finds in the cluster what the installation made up; the cluster is a stand-in that knows one Secret."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

from tests.helm.chart import FOLDER, NAMESPACE, RELEASE, Helm, Object, by_kind, one, place
from tests.helm.platforms import mvp

INTERNAL, CERTIFICATE = "stream-factory-internal", "stream-factory-postgres-tls"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
NO_NAMESPACE = ("Namespace",)


def discovery(objects: list[Object]) -> dict[str, Any]:
    """What an API server says of itself that has the kinds of these objects."""
    kinds: dict[str, set[str]] = {}
    for found in objects:
        kinds.setdefault(found["apiVersion"], set()).add(found["kind"])
    groups = [version.split("/") for version in kinds if "/" in version]
    return {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*group) for group in groups]},
    } | {
        f"/apis/{version}" if "/" in version else f"/api/{version}": {
            "kind": "APIResourceList",
            "groupVersion": version,
            "resources": [_resource(kind) for kind in sorted(of)],
        }
        for version, of in kinds.items()
    }


def _group(name: str, version: str) -> Object:
    preferred = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [preferred], "preferredVersion": preferred}


def _resource(kind: str) -> Object:
    singular = kind.lower()
    plural = singular.removesuffix("y") + "ies" if singular.endswith("y") else singular + "s"
    named = {"name": plural, "singularName": singular, "kind": kind}
    return named | {"namespaced": kind not in NO_NAMESPACE, "verbs": ["get", "create"]}


@contextmanager
def cluster(kinds: dict[str, Any], secrets: dict[str, Object]) -> Iterator[str]:
    """The address of an API server that has these Secrets, by name, and nothing else."""
    answers = kinds | {f"{SECRETS}/{name}": secret for name, secret in secrets.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            found = answers.get(path, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})
            body = json.dumps(found).encode()
            self.send_response(200 if path in answers else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def rendered_with(helm: Helm, secrets: dict[str, Object], **more: Any) -> list[Object]:
    values = helm.home / "upgrade.yaml"
    values.write_text(yaml.safe_dump(mvp() | more))
    with cluster(discovery(helm.objects(mvp())), secrets) as address:
        text = helm.run(
            *("template", RELEASE, str(FOLDER), "--namespace", NAMESPACE, f"--values={values}"),
            *("--dry-run=server", "--disable-openapi-validation", "--kube-apiserver", address),
        )
    return [found for found in yaml.safe_load_all(text) if found]


def secret_values(objects: list[Object]) -> dict[tuple[str, ...], dict[str, str]]:
    return {place(secret): secret["stringData"] for secret in by_kind(objects, "Secret")}


def stored(secret: Object) -> Object:
    """A rendered Secret as a cluster has it after its installation; it stays so after an uninstall."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in secret["stringData"].items()}
    owner = {"meta.helm.sh/release-name": RELEASE, "meta.helm.sh/release-namespace": NAMESPACE}
    metadata = secret["metadata"] | {"annotations": secret["metadata"]["annotations"] | owner}
    return {"kind": "Secret", "apiVersion": "v1", "metadata": metadata, "data": data}


def test_what_was_made_up_is_kept_by_an_upgrade_and_found_again_after_an_uninstall(helm: Helm) -> None:
    installed = rendered_with(helm, {})
    kept = {name: one(installed, "Secret", name) for name in (INTERNAL, CERTIFICATE)}
    for secret in kept.values():
        assert secret["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    upgraded = rendered_with(helm, {name: stored(secret) for name, secret in kept.items()})
    assert secret_values(upgraded) == secret_values(installed)
    assert by_kind(upgraded, "ConfigMap") == by_kind(installed, "ConfigMap")
    again = secret_values(rendered_with(helm, {}))
    assert [again[place(secret)] == secret["stringData"] for secret in kept.values()] == [False, False]
