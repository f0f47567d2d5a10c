"""Alerts to people, through Apprise: mail, Slack, Teams, ..."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from connectors.sdk.messages import message

if TYPE_CHECKING:
    from clubsync.operate.freshness import Message

log = logging.getLogger(__name__)

ALERTS = "clubsync_alerts"
"""The Apprise connection for alerts; without it they are only in the log of the task."""


def send(alert: Message) -> str:
    """Where it was sent, without an address, or that there is nowhere to send it; "": not everyone could be told."""
    from airflow.providers.apprise.hooks.apprise import AppriseHook
    from airflow.sdk.exceptions import AirflowNotFoundException
    from apprise import Apprise, NotifyFormat, NotifyType

    hook = AppriseHook(ALERTS)
    try:
        connection = hook.get_connection(ALERTS)
    except AirflowNotFoundException:
        log.info("There is no connection %s: alerts are only logged here.", ALERTS)
        return message("the log of upkeep")
    services = Apprise()
    hook.set_config_from_conn(connection, services)
    kind = NotifyType.SUCCESS if alert.fixed else NotifyType.WARNING
    sent = bool(
        services.notify(
            title=alert.title,
            body=alert.body,
            # an error quotes what an ERP wrote: text, also where a service shows HTML or Markdown (R19)
            body_format=NotifyFormat.TEXT,
            notify_type=kind,
            tag="all",
        )
    )
    if not sent:
        log.error("%s: not everyone could be notified; retrying in a minute.", ALERTS)
        return ""
    kinds = dict.fromkeys(str(service.service_name or service.protocol) for service in services)
    return f"{ALERTS} ({', '.join(kinds)})"
