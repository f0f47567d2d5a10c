"""The connectors by name. Modules are imported on demand, so that one ERP's libraries cost another nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from connectors.sdk.messages import message

if TYPE_CHECKING:
    from connectors.sdk.base import Connector

#: name in clubs.yaml -> module:class
CONNECTORS = {
    "csv": "connectors.csv:CsvConnector",
    "dolibarr": "connectors.dolibarr:DolibarrConnector",
    "eversports": "connectors.eversports:EversportsConnector",
    "magicline": "connectors.magicline:MagiclineConnector",
    "mindbody": "connectors.mindbody:MindbodyConnector",
    "odoo": "connectors.odoo:OdooConnector",
    "planity": "connectors.planity:PlanityConnector",
    "playtomic": "connectors.playtomic.connector:PlaytomicConnector",
    "resamania": "connectors.resamania:ResamaniaConnector",
    "rest": "connectors.rest:RestConnector",
    "square": "connectors.square:SquareConnector",
    "tryton": "connectors.tryton:TrytonConnector",
    "virtuagym": "connectors.virtuagym:VirtuagymConnector",
}


def connector_class(name: str) -> type[Connector[Any]]:
    """The connector of that name.

    :raises KeyError: there is no connector of that name; the message lists those that exist.
    """
    if name not in CONNECTORS:
        raise KeyError(
            message(f"unknown connector {name!r} (known are {', '.join(sorted(CONNECTORS))})")
        )
    module, _, cls = CONNECTORS[name].partition(":")
    found: type[Connector[Any]] = getattr(import_module(module), cls)
    return found
