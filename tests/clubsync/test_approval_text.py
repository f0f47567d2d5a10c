"""R19: what an ERP wrote is text in an approval request too, which Airflow shows as Markdown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from markdown_it import MarkdownIt

from clubsync.manual.holds import ApprovalRequest

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
NAMES = (
    "[Approve here](https://evil.example)",
    "![](https://evil.example/seen.png)",
    "<img src=x onerror=alert(1)>",
    "Gold | | `x` **all** _of_ them",
    "Gold\n\n# Approved by the club\n\n- yes\u202e",
)


def _html(name: str) -> str:
    cause = f"group *{name}* turned inactive"
    request = ApprovalRequest(
        *("paris", 1, f"Boulder {name}", 7, 1, "abc", 1, "open", None, AT, AT, 40, 5),
        members=[
            {
                "customer": 3,
                "erp_id": name,
                "cause": cause,
                "reason": "group_inactive",
                "loses": True,
            }
        ],
        joined=None,
        left=None,
    )
    return str(MarkdownIt("gfm-like", {"linkify": False}).render(request.markdown()))


@pytest.mark.parametrize("name", NAMES)
def test_r19_a_name_is_neither_a_link_nor_an_image_nor_a_heading(name: str) -> None:
    html, plain = _html(name), _html("Gold")
    for tag in ("<a", "<img", "<h1", "<em", "<strong", "<code", "<li", "<td", "<tr"):
        assert html.count(tag) == plain.count(tag), (tag, html)
    assert "\u202e" not in html


def test_a_name_is_shown_as_it_was_written() -> None:
    assert "group *[Approve here](https://evil.example)* turned inactive: 1" in _html(NAMES[0])
