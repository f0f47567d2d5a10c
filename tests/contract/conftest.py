"""The servers that the contract suite shares, and which check meets which connector."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from _pytest.mark import ParameterSet

from sandbox import courtside, playtomic, proxy, sftp
from sandbox.faults import Faults
from tests.contract import file_cases
from tests.contract.api_case import Apis
from tests.contract.case import ConnectorCase, Erp
from tests.contract.cases import CASES
from tests.contract.file_cases import Drop
from tests.contract.playtomic_case import SECRET, PlaytomicErp
from tests.contract.rest_case import CourtsideErp
from tests.contract.tryton_case import TrytonErp, TrytonRestCase
from tests.support.servers import Recorder, serving
from tests.support.tryton import Tryton, tryton

__all__ = ["tryton"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-connectors",
        action="store_true",
        help="write docs/connectors.md, if all is green (`make connectors`)",
    )


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the page: only of a run of the whole suite in which nothing failed and nothing was left out."""
    if not session.config.getoption("write_connectors", False):
        return
    from tests.contract import table, test_contract

    checked = [item for item in session.items if item.name.startswith("test_")]
    there = {getattr(item, "originalname", item.name) for item in checked}
    whole = {
        f"test_{name}" for _, names in table.sections(test_contract) for name in names
    } <= there
    if exitstatus == 0 and whole and not session.config.getoption("keyword"):
        table.PAGE.write_text(table.page(CASES, test_contract), encoding="utf-8")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every check meets every connector that has not said why it does not apply."""
    if "case" in metafunc.fixturenames:
        check = metafunc.function.__name__.removeprefix("test_")
        cases = [c for c in CASES if check not in c.reasons()]
        metafunc.parametrize("case", [_param(case, check) for case in cases])


#: What the HTTP client does, which is one for both protocols of Tryton. A real server takes a second or two for each
#: check: these meet the second protocol in the long tests.
OF_THE_CLIENT = {
    *("throttled", "throttled_by_their_clock", "throttled_for_a_moment", "timeout", "time_limit"),
    *("server_error_once", "server_error_persists", "html", "truncated", "answer_too_large"),
    *("hostile_answer", "hostile_page_later", "maintenance_page_once", "maintenance_page_later"),
    *("plain_http_is_refused", "a_name_that_means_this_machine_is_refused", "wrong_address"),
    *("who_the_server_is_is_verified", "a_proxy_is_respected", "a_redirect_is_not_followed"),
    *("a_flood_of_values_is_refused", "all_responses_count_together", "too_many_pages"),
    *("errors_tell_no_secrets", "a_complete_reading_logs_no_person", "clock_skew"),
}


def _param(case: ConnectorCase, check: str) -> ParameterSet:
    long = isinstance(case, TrytonRestCase) and check in OF_THE_CLIENT
    return pytest.param(case, id=case.label, marks=[pytest.mark.long] if long else [])


@pytest.fixture
def erp(case: ConnectorCase, request: pytest.FixtureRequest) -> Erp:
    """A running ERP of the case's kind, without faults."""
    return case.erp(request)


@pytest.fixture(scope="session")
def drop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drop]:
    folder = tmp_path_factory.mktemp("drop")
    var = tmp_path_factory.mktemp("sftp")
    with sftp.serving(folder, user="club", password=file_cases.SECRET, var=var) as server:
        yield Drop(folder, server)


@pytest.fixture(scope="session")
def playtomic_erp() -> Iterator[PlaytomicErp]:
    erp = PlaytomicErp()
    venue = playtomic.Venue("client", SECRET, lambda: erp.players)
    erp.recorder = Recorder(playtomic.create_app({"venue": venue}, erp.faults))
    with serving(erp.recorder) as url:
        erp.url = url
        yield erp


@pytest.fixture(scope="session")
def courtside_erp() -> Iterator[CourtsideErp]:
    erp = CourtsideErp()
    erp.recorder = Recorder(courtside.create_app({"club": erp.place}, erp.faults))
    with serving(erp.recorder) as url:
        erp.url = f"{url}/club"
        yield erp


@pytest.fixture(scope="session")
def tryton_erp(tryton: Tryton) -> Iterator[TrytonErp]:
    faults = Faults()
    recorder = Recorder(proxy.create_app({"club": tryton.url}, faults))
    with serving(recorder) as url:
        yield TrytonErp(tryton, f"{url}/club", faults, recorder)


@pytest.fixture(scope="session")
def apis() -> Iterator[Apis]:
    with ExitStack() as stack:
        yield Apis(stack)
