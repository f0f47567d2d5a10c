"""A drop in a bucket, on as much of S3 as reading needs: list, head, get."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from connectors.sdk.base import Connection
from connectors.sdk.errors import CredentialsRefused, FileMissing
from connectors.sdk.files.folder import FileDrop

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
OBJECTS = {
    "in/customers-1.csv": (b"old", datetime(2026, 11, 20, tzinfo=UTC)),
    "in/customers-2.csv": (b"new", NOON),
    "in/customers-2.csv.rows": (b"0", NOON),
    "other/customers-3.csv": (b"another club's", NOON),
}


class Bucket(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if "Credential=key/" not in self.headers.get("Authorization", ""):
            return self.answer(403, b"<Error><Code>InvalidAccessKeyId</Code></Error>")
        query = parse_qs(url.query)
        if "list-type" in query:
            return self.answer(200, self.listing(query.get("prefix", [""])[0]))
        found = OBJECTS.get(unquote(url.path).removeprefix("/bucket/"))
        if found is None:
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        return self.answer(200, found[0], found[1])

    def do_HEAD(self) -> None:
        self.do_GET()

    def listing(self, prefix: str) -> bytes:
        rows = "".join(
            f"<Contents><Key>{key}</Key><LastModified>{at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<Size>{len(data)}</Size></Contents>"
            for key, (data, at) in OBJECTS.items()
            if key.startswith(prefix)
        )
        return (
            f"<ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated>{rows}"
            "</ListBucketResult>"
        ).encode()

    def answer(self, code: int, body: bytes, modified: datetime = NOON) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", format_datetime(modified, usegmt=True))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def drop(endpoint: str, key: str | None = "key") -> FileDrop:
    extra = {"endpoint_url": endpoint, "region_name": "eu-west-3"}
    secret = "secret" if key else None
    return FileDrop(Connection("boulder", "s3://bucket/in", key, secret, extra=extra), timeout=20)


def test_the_newest_object_with_its_time_and_rows(endpoint: str) -> None:
    content = drop(endpoint).read_newest("customers-*.csv")
    assert (content.name, content.data, content.modified, content.rows) == (
        *("customers-2.csv", b"new"),
        NOON,
        0,
    )


def test_no_object(endpoint: str) -> None:
    with pytest.raises(FileMissing):
        drop(endpoint).read_newest("members*.csv")
    with pytest.raises(FileMissing):
        drop(endpoint).read_newest("members.csv")


@pytest.mark.parametrize("key", ["stolen", None])
def test_a_refused_key(endpoint: str, key: str | None) -> None:
    """Without a key the bucket is read as anybody would, never as the machine's own account (R21)."""
    with pytest.raises(CredentialsRefused, match="rejected the credentials of connection boulder"):
        drop(endpoint, key).read_newest("customers-2.csv")
