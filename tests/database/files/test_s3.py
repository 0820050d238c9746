"""A server that speaks S3's protocol and means ill: it is asked alone, and what it answers is bounded."""

from __future__ import annotations

import io
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from config_schema import tls as tls_module
from config_schema.model import SourceKind
from config_schema.tls import Tls
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.sources.files import s3
from merge_jobs.sources.files.errors import FileChanged, FolderNotRead
from merge_jobs.sources.files.storage import Bucket
from tests.certificates import Authority
from tests.endless_answers import ENDLESS, endless_server

ONE = "<Contents><Key>in/a.csv</Key><LastModified>2026-11-30T10:00:00.000Z</LastModified><Size>10</Size></Contents>"
LIST = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{}</ListBucketResult>'
HEAD = {"Content-Length": "10", "ETag": '"x"', "Last-Modified": "Mon, 30 Nov 2026 10:00:00 GMT"}
Answer = tuple[int, dict[str, str], bytes]


class Server:
    """Answers each request with what the test says, by the request's method, and keeps the requests."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.buckets: list[Bucket] = []
        self.answers: dict[str, Callable[[str], Answer]] = {}
        of = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                of.asked.append((self.command, self.path, dict(self.headers)))
                kind = "LIST" if "list-type" in self.path else self.command
                status, headers, body = of.answers[kind](self.path)
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_GET = do_HEAD = answer

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        for bucket in self.buckets:
            bucket.close()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def has_tls(self, authority: Authority) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue("127.0.0.1"))
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)

    def bucket(self, tls: Tls | None = Tls.DISABLE, ca: Path | None = None) -> Bucket:
        login = ("producer", "geheim")
        place = ("127.0.0.1", self.http.server_port, "s3://b/in", "public")
        self.buckets.append(Bucket(ConnectionInfo(*place, *login, SourceKind.FILES, tls, ca and str(ca)), "here"))
        return self.buckets[-1]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.answers = {
        "LIST": lambda _: (200, {}, LIST.format(ONE).encode()),
        "HEAD": lambda _: (200, HEAD, b""),
        "GET": lambda _: (206, {}, b"id\n1\n2\n3\n4"[:10]),
    }
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Server]:
    made = Server()
    made.answers = {kind: lambda _: (200, HEAD, b"secret,two") for kind in ("LIST", "HEAD", "GET")}
    yield made
    made.close()


def read(bucket: Bucket) -> bytes:
    [file] = bucket.files("*.csv")
    with bucket.open(file.name) as stream:
        assert file.is_same(bucket.find(file.name))
        return stream.read()


def test_a_file_is_read_and_the_secret_key_goes_nowhere(server):
    assert read(server.bucket()) == b"id\n1\n2\n3\n4"
    assert [command for command, _, _ in server.asked] == ["GET", "HEAD", "HEAD", "GET"]
    assert "geheim" not in str(server.asked)
    assert server.asked[-1][2]["If-Match"] == '"x"'


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", ["LIST", "HEAD", "GET"])
def test_nobody_goes_where_the_server_sends_its_readers(server, other, status, kind):
    elsewhere = f"http://127.0.0.1:{other.http.server_port}/latest/meta-data"
    server.answers[kind] = lambda _: (status, {"Location": elsewhere}, b"")
    with pytest.raises(FolderNotRead, match="sends its readers to another address") as caught:
        read(server.bucket())
    assert not caught.value.retryable
    assert "meta-data" not in str(caught.value)
    assert other.asked == []


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + LIST.format(f"<Contents><Key>&a;</Key></Contents>{ONE}")
WRONG = {
    "no XML": ("LIST", (200, {}, b"secret")),
    "definitions in XML": ("LIST", (200, {}, BOMB.encode())),
    "definitions in another encoding": ("LIST", (200, {}, BOMB.encode("utf-16"))),
    "elements without an end": ("LIST", (200, {}, b"<a>" * 20)),
    "a key that is longer than S3's": ("LIST", (200, {}, LIST.format(ONE.replace("a.csv", "a" * 1022)).encode())),
    "a text without an end": ("LIST", (200, {}, LIST.format(ONE.replace("a.csv", "a" * 100_000)).encode())),
    "a size below nothing": ("LIST", (200, {}, LIST.format(ONE.replace(">10<", ">-10<")).encode())),
    "a length below nothing": ("HEAD", (200, HEAD | {"Content-Length": "-10"}, b"")),
    "a size that is no number": ("LIST", (200, {}, LIST.format(ONE.replace(">10<", ">secret<")).encode())),
    "a size without an end": ("LIST", (200, {}, LIST.format(ONE.replace(">10<", f">{'9' * 5000}<")).encode())),
    "a time before time": (
        "LIST",
        (200, {}, LIST.format(ONE.replace("2026-11-30T10:00:00.000Z", "0001-01-01")).encode()),
    ),
    "no size": ("HEAD", (200, {"Content-Length": "0", "Last-Modified": "secret", "ETag": "x"}, b"")),
    "no tag": ("HEAD", (200, {key: HEAD[key] for key in HEAD if key != "ETag"}, b"")),
    "too little": ("GET", (206, {}, b"secret")),
    "too much": ("GET", (206, {}, b"secret" * 100)),
    "an error of its own": ("GET", (500, {}, b"secret")),
}


@pytest.mark.parametrize(("kind", "answer"), WRONG.values(), ids=WRONG.keys())
def test_an_answer_that_is_none_is_refused_without_its_text(server, kind, answer):
    server.answers[kind] = lambda _: answer
    with pytest.raises(FolderNotRead, match="does not answer as it should") as caught:
        read(server.bucket())
    assert caught.value.retryable
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_answer_without_an_end_ends(monkeypatch, kind):
    monkeypatch.setattr(s3, "ANSWER_SECONDS", 0.2)
    with endless_server(kind) as port:
        place = ConnectionInfo("127.0.0.1", port, "s3://b/in", "public", "u", "p", tls=Tls.DISABLE)
        with pytest.raises(FolderNotRead, match="does not answer as it should") as caught:
            list(Bucket(place, "here").files("*.csv"))
    assert caught.value.retryable


@pytest.mark.parametrize("page", ["", ONE], ids=["empty pages", "pages"])
def test_a_list_without_an_end_ends(server, monkeypatch, page):
    monkeypatch.setattr(s3, "MOST_OBJECTS", 5)
    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>more</NextContinuationToken>"
    server.answers["LIST"] = lambda _: (200, {}, LIST.format(page + more).encode())
    with pytest.raises(FolderNotRead, match="more than 5 objects"):
        list(server.bucket().files("*.csv"))
    assert len(server.asked) == 6
    assert all("continuation-token=more" in path for _, path, _ in server.asked[1:])


@pytest.mark.parametrize(
    "said",
    [
        "<IsTruncated>true</IsTruncated>",
        "<IsTruncated>false</IsTruncated><NextContinuationToken>more</NextContinuationToken>",
        "<NextContinuationToken>more</NextContinuationToken>",
        "<IsTruncated>maybe</IsTruncated>",
    ],
)
def test_a_list_that_does_not_say_clearly_whether_it_goes_on_is_not_read(server, said):
    server.answers["LIST"] = lambda _: (200, {}, LIST.format(ONE + said).encode())
    with pytest.raises(FolderNotRead, match="does not answer as it should"):
        list(server.bucket().files("*.csv"))


def test_a_page_of_something_else_is_no_list(server):
    server.answers["LIST"] = lambda _: (200, {}, b"<html><body/></html>")
    with pytest.raises(FolderNotRead, match="does not answer as it should"):
        list(server.bucket().files("*.csv"))


def test_a_page_that_is_too_long_is_not_read(server, monkeypatch):
    monkeypatch.setattr(s3, "LONGEST_PAGE", 100)
    with pytest.raises(FolderNotRead, match="does not answer as it should"):
        list(server.bucket().files("*.csv"))


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("s3.eu-central-1.amazonaws.com", "eu-central-1"),
        ("S3.dualstack.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("s3-fips.us-west-2.amazonaws.com", "us-west-2"),
        ("s3-ap-southeast-2.amazonaws.com", "ap-southeast-2"),
        ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("s3.amazonaws.com", "us-east-1"),
        ("s3-external-1.amazonaws.com", "us-east-1"),
        ("s3.eu-central-1.amazonaws.com.example", "us-east-1"),
        ("minio", "us-east-1"),
    ],
)
def test_a_request_is_signed_for_the_region_of_amazons_host(host, region):
    place = ConnectionInfo(host, 443, "s3://b/in", "public", "producer", "geheim", SourceKind.FILES)
    login = s3.S3Client(place, "here")._signed("GET", "/b", "")["authorization"]
    assert f"/{region}/s3/aws4_request," in login


@pytest.mark.parametrize(
    ("pattern", "asked"),
    [
        ("*.csv", "delimiter=%2F&list-type=2&prefix=in%2F"),
        ("a/b/*.csv", "delimiter=%2F&list-type=2&prefix=in%2Fa%2Fb%2F"),
        ("a/2026-*/b/x.csv", "list-type=2&prefix=in%2Fa%2F"),
        ("[ab]/x.csv", "list-type=2&prefix=in%2F"),
    ],
)
def test_only_folders_that_a_pattern_names_are_listed(server, pattern, asked):
    list(server.bucket().files(pattern))
    assert [path for _, path, _ in server.asked] == [f"/b?{asked}"]


@pytest.mark.parametrize("status", [200, 404, 412, 416])
def test_an_object_that_is_another_one_by_now_is_tried_again(server, status):
    server.answers["GET"] = lambda _: (status, {}, b"id\n1" if status == 200 else b"")
    stream = server.bucket().open("a.csv")
    stream.seek(5, io.SEEK_SET)
    with pytest.raises(FileChanged):
        stream.read(2)


@pytest.mark.parametrize("tls", [None, Tls.REQUIRE, Tls.VERIFY_CA, Tls.VERIFY_FULL])
def test_a_server_without_tls_gets_nothing_where_the_model_does_not_say_so(server, tls):
    with pytest.raises(FolderNotRead, match="does not answer as it should"):
        list(server.bucket(tls).files("*.csv"))
    assert server.asked == []


@pytest.mark.parametrize("tls", [None, Tls.REQUIRE, Tls.VERIFY_FULL])
def test_only_a_server_with_a_certificate_of_the_ca_is_asked(server, tmp_path, tls):
    ours, another = Authority(tmp_path, "ours"), Authority(tmp_path, "another")
    server.has_tls(ours)
    assert read(server.bucket(tls, ours.ca)) == b"id\n1\n2\n3\n4"
    server.asked.clear()
    for ca in (None, another.ca):
        with pytest.raises(FolderNotRead, match="does not answer as it should"):
            list(server.bucket(tls, ca).files("*.csv"))
    assert server.asked == []


def test_the_ca_of_a_secret_is_where_it_is_mounted(server, tmp_path, monkeypatch):
    monkeypatch.setattr(tls_module, "CA_FOLDER", str(tmp_path))
    (tmp_path / "s3-ca").mkdir()
    server.has_tls(Authority(tmp_path / "s3-ca", "ca"))
    assert read(server.bucket(Tls.VERIFY_FULL, Path("s3-ca"))) == b"id\n1\n2\n3\n4"
    (tmp_path / "s3-ca" / "ca.crt").unlink()
    with pytest.raises(FolderNotRead, match="the file with the CA cannot be read") as caught:
        read(server.bucket(Tls.VERIFY_FULL, Path("s3-ca")))
    assert not caught.value.retryable
