"""HTTP for API connectors."""

from __future__ import annotations

from connectors.sdk.http.client import (
    THROTTLED,
    Http,
    HttpLimits,
    Judge,
    Reply,
    Unauthorized,
    asked_wait,
    base_address,
)

__all__ = [
    "THROTTLED",
    "Http",
    "HttpLimits",
    "Judge",
    "Reply",
    "Unauthorized",
    "asked_wait",
    "base_address",
]
