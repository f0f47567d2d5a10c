"""The bad line alone: each kind of fault is observed as it is named."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import requests
from starlette.responses import JSONResponse

from tests.support.bad_line import bad_line
from tests.support.servers import Recorder, serving

ERP = JSONResponse({"result": list(range(500))})
WHOLE = bytes(ERP.body)

#: kind -> what whoever asks gets to see of it; of some there are two.
SEEN = {
    None: {"whole"},
    "throttled": {"429", "429 and when to come back"},
    "server-error": {"500", "502 with a web page"},
    "cut-before": {"no answer"},
    "cut-within": {"an end after half of it"},
    "late": {"whole"},
    "too-late": {"whole"},
    "truncated": {"half"},
}
#: seconds that at least go by.
AT_LEAST: dict[str | None, float] = {"late": 0.05, "too-late": 1.5}
#: kinds of which the ERP never hears.
KEPT = {"throttled", "server-error", "cut-before"}


def _see(session: requests.Session, url: str) -> tuple[str, float]:
    """One request: what came of it, and the seconds until then."""
    try:
        answer = session.get(url, timeout=60)
    except requests.exceptions.ChunkedEncodingError as error:
        came = re.search(r"IncompleteRead\((\d+) bytes read", str(error))
        half = came is not None and int(came[1]) == len(WHOLE) // 2
        return "an end after half of it" if half else str(error), 0.0
    except requests.ConnectionError:
        return "no answer", 0.0
    return _told(answer), answer.elapsed.total_seconds()


def _told(answer: requests.Response) -> str:
    assert len(answer.content) == int(answer.headers["Content-Length"])
    match answer.status_code:
        case 429 if "Retry-After" in answer.headers:
            return "429 and when to come back"
        case 502 if answer.headers["Content-Type"] == "text/html":
            return "502 with a web page"
        case 200:
            return {WHOLE: "whole", WHOLE[: len(WHOLE) // 2]: "half"}[answer.content]
        case status:
            return str(status)


def test_every_kind_is_what_it_says(tmp_path: Path) -> None:
    # with these dice every kind, and both of two, come up among the forty
    erp = Recorder(ERP)
    with (
        serving(erp) as url,
        bad_line(url, tmp_path, one_in=2, seed=7) as line,
        requests.Session() as session,
    ):
        seen = [_see(session, line.url) for _ in range(40)]
        kinds = line.requests()

    by_kind = defaultdict(set)
    for kind, (what, seconds) in zip(kinds, seen, strict=True):
        by_kind[kind].add(what)
        assert seconds >= AT_LEAST.get(kind, 0)
    assert by_kind == SEEN
    assert line.kinds == SEEN.keys() - {None}
    assert len(erp.paths) == sum(kind not in KEPT for kind in kinds)
