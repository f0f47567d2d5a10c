"""Credentials of a request: the headers that a login produced, and what 401 means."""

from __future__ import annotations

from collections.abc import Mapping

import requests
from requests.auth import AuthBase

from connectors.sdk.errors import CredentialsRefused


class Unauthorized(CredentialsRefused):
    """401: wrong credentials, or merely an expired session or token."""


class LoginHeaders(AuthBase):
    """Sets the headers itself, so that `requests` never takes credentials from a .netrc file."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request
