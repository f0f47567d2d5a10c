"""The problems that routes may return, beside those of every route."""

from __future__ import annotations

from plugins.web.errors import problems

CLUB = problems(404)
"""Of a route about a club."""
ACT = problems(404, 409)
"""Of a route that changes something."""
