"""The connectors that are held to the contract. A new one is added here."""

from __future__ import annotations

from tests.contract.case import ConnectorCase
from tests.contract.dolibarr_case import DolibarrCase
from tests.contract.file_cases import CsvCase, EversportsCase, PlanityCase
from tests.contract.magicline_case import MagiclineCase
from tests.contract.mindbody_case import MindbodyCase
from tests.contract.odoo_case import OdooCase, OdooRpcCase
from tests.contract.playtomic_case import PlaytomicCase
from tests.contract.resamania_case import ResamaniaCase
from tests.contract.rest_case import RestCase
from tests.contract.square_case import SquareCase
from tests.contract.tryton_case import TrytonCase, TrytonRestCase
from tests.contract.virtuagym_case import VirtuagymCase

CASES: tuple[ConnectorCase, ...] = (
    PlaytomicCase(),
    TrytonCase(),
    TrytonRestCase(),
    CsvCase(),
    EversportsCase(),
    PlanityCase(),
    MagiclineCase(),
    MindbodyCase(),
    ResamaniaCase(),
    OdooCase(),
    OdooRpcCase(),
    SquareCase(),
    VirtuagymCase(),
    DolibarrCase(),
    RestCase(),
)
