"""HTTP for API connectors: timeouts, size limits, short retries, throttling, no secrets in messages or logs.

`client` has `Http`, one reading's conversation with one ERP; `limits` the settings of a club; `address` the
connection's base address; `throttling` what servers say about waiting, and the limit per host; `auth` the
login; `responses` what a status or a body means; `sockets` the deadline.
"""

from __future__ import annotations

from connectors.sdk.http.address import base_address
from connectors.sdk.http.auth import Unauthorized
from connectors.sdk.http.client import UNNAMED, Http, Login
from connectors.sdk.http.limits import HttpLimits
from connectors.sdk.http.responses import ErrorCheck, Reply, RequestRejected
from connectors.sdk.http.throttling import THROTTLED, requested_wait

__all__ = [
    "THROTTLED",
    "UNNAMED",
    "ErrorCheck",
    "Http",
    "HttpLimits",
    "Login",
    "Reply",
    "RequestRejected",
    "Unauthorized",
    "base_address",
    "requested_wait",
]
