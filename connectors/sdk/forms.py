"""The form of an ERP's Airflow connection: one per connector.

The forms are here and not in the connectors because Airflow reads them at the start of every process,
also of those that never read an ERP: this module imports nothing. What a field means to a connector is
documented in its own module.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Extra:
    """A field of the connection's extra.

    :param name: its key there.
    :param help: one or two sentences below the field.
    :param secret: hidden while it is typed, and masked afterwards.
    :param lines: holds several lines, which a one-line field would join. Such a field cannot be hidden while it
        is typed; it is masked afterwards if Airflow recognises its name as a secret's.
    :param section: heading of the section of the form that contains it; None: the first section.
    """

    name: str
    label: str
    help: str
    secret: bool = False
    lines: bool = False
    section: str | None = None


@dataclass(frozen=True)
class Form:
    """A connection's form. `login` and `password` are labels; None: the ERP has no such field.

    :param title: the ERP's name, the connector's `title`.
    :param address: label of the host.
    :param example: an address that is shown while the field is empty.
    """

    title: str
    address: str = "Address"
    example: str = "https://erp.example.com"
    login: str | None = "Login"
    password: str | None = "Password"
    login_hint: str = ""
    password_hint: str = ""
    extras: tuple[Extra, ...] = ()

    @property
    def fields(self) -> tuple[Extra, ...]:
        """The fields of the extra: those of all ERPs, and the ERP's own."""
        return (WEBHOOK_SECRET, *self.extras)


WEBHOOK_SECRET = Extra(
    "webhook_secret",
    "Webhook secret",
    "Secret or key of the ERP's webhooks (whsec_… of Standard Webhooks); leave empty if the ERP sends none.",
    secret=True,
)

_FOLDER = (
    Extra(
        "known_hosts",
        "Server keys",
        "Lines of a known_hosts file, or the path of one. Without it the key that the server shows when it is first "
        "seen is kept, and another one is refused from then on.",
        lines=True,
        section="SFTP",
    ),
    Extra(
        "private_key",
        "Private key",
        "Complete PEM text of a key without a passphrase, used instead of or in addition to the password.",
        lines=True,
        section="SFTP",
    ),
    Extra(
        "endpoint_url",
        "Endpoint",
        "Address of the S3 server, if it is not Amazon's.",
        section="S3",
    ),
    Extra("region_name", "Region", "Region of the bucket, such as eu-west-3.", section="S3"),
)


def _folder(title: str) -> Form:
    return Form(
        title=title,
        address="Folder",
        example="file:///data/drop, sftp://files.example.com:22/export or s3://bucket/prefix",
        login_hint="User (SFTP) or access key id (S3); empty for file:///",
        password_hint="Password (SFTP) or secret access key (S3)",
        extras=_FOLDER,
    )


#: connector's name -> form; a connector without one has the default form (`form_of`).
FORMS = {
    "csv": _folder("CSV or Excel export"),
    "dolibarr": Form(
        title="Dolibarr",
        example="https://erp.example.com",
        login=None,
        password="API key",
        password_hint="Key of a user who may read members",
    ),
    "eversports": _folder("Eversports Manager"),
    "planity": _folder("Planity"),
    "magicline": Form(
        title="Magicline / PerfectGym Next",
        example="https://TENANT.open-api.magicline.com or https://TENANT.open-api.perfectgym.com",
        login=None,
        password="API key",
        password_hint="Key of this studio; each studio has its own",
    ),
    "mindbody": Form(
        title="Mindbody",
        example="https://api.mindbodyonline.com",
        login="Staff user",
        extras=(
            Extra(
                "api_key",
                "API key",
                "Key of the developer account that reads the site.",
                secret=True,
            ),
        ),
    ),
    "odoo": Form(
        title="Odoo",
        example="https://club.odoo.com",
        login="User",
        password="API key",
        login_hint="JSON-RPC only (before Odoo 19)",
        password_hint="Preferences, Account Security, New API Key",
    ),
    "playtomic": Form(
        title="Playtomic",
        address="Address or folder",
        example="https://thirdparty.playtomic.io, or the Manager's files in sftp://host/folder",
        login="Client id",
        password="Secret",
        login_hint="Client id of the API, or user of the folder",
        password_hint="Secret of the API, or password of the folder",
        extras=_FOLDER,
    ),
    "resamania": Form(
        title="Resamania",
        address="Gateway and environment",
        example="https://gateway.prod.gravitee.stadline.tech/resa2-prod",
        login="Client id",
        password="Client secret",
        extras=(
            Extra(
                "api_key",
                "Gateway key",
                "Key from the developer portal (x-gravitee-api-key).",
                secret=True,
            ),
        ),
    ),
    "rest": Form(
        title="JSON API",
        example="https://api.example.com",
        login_hint="User or client id: {login} in the club's settings",
        password_hint="Password, key or client secret: {password} in the club's settings",
        extras=(
            Extra(
                "tenant",
                "Tenant",
                "Another value that the API needs, such as a site or tenant: {extra.tenant} in the club's "
                "settings. More such values may be added as JSON.",
            ),
        ),
    ),
    "square": Form(
        title="Square",
        example="https://connect.squareup.com",
        login=None,
        password="Access token",
        password_hint="Token of an application that may read customers",
    ),
    "tryton": Form(
        title="Tryton",
        address="Address and database",
        example="https://tryton.example.com/database",
        login="User",
        login_hint="JSON-RPC only",
        password_hint="Password of the user; with REST, key of a validated user application",
    ),
    "virtuagym": Form(
        title="Virtuagym",
        example="https://api.virtuagym.com",
        login=None,
        password="Club key",
        password_hint="System settings, Business info, Advanced",
        extras=(Extra("api_key", "API key", "From the same page.", secret=True),),
    ),
}


def form_of(name: str) -> Form:
    """The form of that connector's connections."""
    return FORMS.get(name) or Form(title=name.replace("_", " ").capitalize())
