"""Any JSON API by settings alone, in the usual words of REST sources (docs/adding-an-erp.md shows how).

- **Authenticator** (`auth`): header keys, query keys, Basic, bearer, OAuth 2 client credentials, a session.
  Secrets stand in the connection; settings only say where they go: `{password}`, `{extra.tenant}`.
- **Paginator** (`paging` of each list) and what its end proves: `connectors.rest.paging`.
- **Record selector** (`records`) and **fields**: dotted paths, or JMESPath: `connectors.sdk.paths`.
- **Status rule** (`status`): the ERP's words in lists; without it everybody who is listed is active.
- **Groups** (`groups`): held inside the record or in a second list, which is read whole first, or nothing is.
- **Incremental cursor** (`customers.changes`): between full readings only what changed is asked for, from the
  last certified reading on, with an overlap; such a reading is never certified, and takes access away from
  nobody who is merely not in it (R14).
- **Errors in a 200** (`errors`), rate and connections (`http`).

A key that settings name and no record has is an error, not an empty value: a renamed `ends_on` would give
access for ever. For ERPs that leave out empty keys there is `omits_empty`. No message holds a value of a record:
keys, paths and counts only (R19).
"""

from __future__ import annotations

from connectors.rest.connector import RestConnector
from connectors.rest.settings import RestSettings

__all__ = ["RestConnector", "RestSettings"]
