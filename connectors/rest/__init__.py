"""Any JSON API by settings alone, in the usual terms of REST sources (docs/adding-an-erp.md shows how).

- **Authenticator** (`auth`): header keys, query keys, Basic, bearer, OAuth 2 client credentials, a session.
  Secrets are in the connection; settings only say where they are sent: `{password}`, `{extra.tenant}`.
- **Paginator** (`paging` of each list): `connectors.rest.paging`; what a walk through the pages proves:
  `connectors.sdk.paging`.
- **Record selector** (`records`) and **fields**: dotted paths, or JMESPath: `connectors.sdk.paths`.
- **Status rule** (`status`): the ERP's words in lists; without it everybody who is listed is active.
- **Groups** (`groups`): held inside the record or in a second list, which has to be complete.
- **Incremental cursor** (`customers.changes`): between full readings only changes are read, from the
  last certified reading on, with an overlap; such a reading is never certified, and takes access from
  nobody who is merely missing from it (R14).
- **Errors in a 200** (`errors`), rate and connections (`http`).

A key that settings name and no record has is an error, not an empty value: a renamed `ends_on` would give
permanent access. For ERPs that omit empty keys there is `omits_empty`. No message holds a value of a record:
keys, paths and counts only (R19).
"""

from __future__ import annotations

from connectors.rest.connector import RestConnector
from connectors.rest.settings import RestSettings

__all__ = ["RestConnector", "RestSettings"]
