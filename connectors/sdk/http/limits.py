"""How long and how much: `http:` in a club's settings."""

from __future__ import annotations

from pydantic import Field

from connectors.sdk.base import Settings

#: The settings that have the limits.
MAX_BYTES, MAX_TOTAL_BYTES, MAX_VALUES = "http.max_bytes", "http.max_total_bytes", "http.max_values"


class HttpLimits(Settings):
    """Limits of one club's readings. Times are in seconds.

    :param connect_timeout: how long connecting may take.
    :param read_timeout: how long the ERP may be silent while it answers.
    :param attempts: the most that one request is sent.
    :param backoff: the first pause between two attempts; it doubles, with jitter.
    :param longest_wait: the longest wait that a 429 may ask for before it becomes `RateLimited`, and the longest
        pause between attempts.
    :param max_bytes: of one response, decompressed.
    :param max_total_bytes: of all responses of one reading, decompressed.
    :param max_values: in one response: numbers, texts, objects and lists, counted before it is parsed.
    :param max_depth: of values in one another.
    :param max_records: of one list; reading stops there, and nothing is certified.
    :param allow_plain: HTTP without TLS to another machine.
    :param private_network: the host's name may mean an address of a private network.
    :param max_seconds: of one reading, all requests and waits together.
    :param max_pages: of one list; more are treated as a circle.
    :param connections: concurrent requests to one host, from all clubs that this process reads there; None: one
        per club.
    :param per_second: requests per second to one host, from all clubs that this process reads there; None: no
        limit.
    """

    connect_timeout: float = Field(default=5.0, gt=0)
    read_timeout: float = Field(default=30.0, gt=0)
    attempts: int = Field(default=4, ge=1, le=10)
    backoff: float = Field(default=0.5, ge=0)
    longest_wait: float = Field(default=2.0, ge=0)
    max_bytes: int = Field(default=64 * 1024 * 1024, gt=0)
    max_total_bytes: int = Field(default=1024 * 1024 * 1024, gt=0)
    max_values: int = Field(default=5_000_000, gt=0)
    max_depth: int = Field(default=64, ge=4, le=200)
    max_records: int = Field(default=2_000_000, gt=0)
    allow_plain: bool = False
    private_network: bool = False
    max_seconds: float = Field(default=300.0, gt=0)
    max_pages: int = Field(default=10_000, ge=1)
    connections: int | None = Field(default=None, ge=1)
    per_second: float | None = Field(default=None, gt=0)
