"""Tryton: the open ERP, over its JSON-RPC or, from 8 on, its REST protocol.

Based on Tryton 8.2.1 with modules party and party_relationship, its source read [src] and a real server
queried [ran] (tests/connectors/test_tryton.py does so again):

- `POST <database>/rpc/` with `common.db.login` -> user and session; every later call carries both in
  `Authorization: Session …`. Wrong credentials: 401 with a web page; a login that needs more than a password:
  `LoginException` in a 200; an unknown session: 401 without a body; too many attempts: 429, and before
  that responses become slower and slower. An unknown database: 404 [ran].
- Errors of a call come with HTTP 200 as `{"id", "error": [...]}`; their text may name people and is
  never passed on [ran]. A model without RPC access: 403 [ran].
- Searches hide inactive records unless the context says `active_test: false`. A domain that names `active` shows
  them too, but not those that only a part of it in brackets matches: each such part hides them again [src, ran].
  Booleans are 0 and 1 on SQLite [ran].
- A party's `categories` include inactive categories too [ran].
- REST: `GET <database>/rest/model/<model>` with domain and order as base64 of JSON, the same records, and
  `Authorization: Bearer` with the key of a user application that an administrator has validated (401 until then). Of
  a request by `Range: records=0-n` the total is in `Content-Range`, up to ten times n, beyond that `*` [src, ran].
- A new email moves the stamp of its contact mechanism and not the party's [ran]; `modified_at` is the latest of
  both, and changes (setting `changes`) are requested by the stamps of both, also of mechanisms that were disabled.
  Stamps are set when a transaction starts and visible when it is committed, hence the `overlap`. A mechanism that is
  deleted, a category that is renamed or assigned from its own side, and a relation move no stamp that is looked at:
  they wait for the next full reading.
- The party's own email is its first mechanism of that type: by sequence, without one first, then by id
  [src, ran].
- `party.replace` (merge): the replaced party is inactive, names the other in `replaced_by`, and has lost its
  contact mechanisms to the other one, where they are inactive; the survivor keeps its own email. Neither
  it nor any other inactive party's name can be edited, nor can a replaced one be made active again [ran].
- `party.erase` (only of inactive parties; those it replaced go too): name null, mechanisms inactive, of type
  `other` with value `****`; categories stay. `value_compact` keeps the erased email and phone [ran]: it
  is never read here.
- Email and phone are checked by Tryton on entry (the email's domain even by DNS) [ran].

The walk is by id (`id > last seen`), not by offset, up to the highest id at its start: rows that come or go
meanwhile move nothing. `search_count` over the same parties is the total of the certificate.

[inf] An inactive party without name and without mechanisms is considered erased (`deleted`).
[inf] In a club's Tryton every party is a customer unless `domain` says otherwise.

`connector` reads a club, over one of two protocols (`jsonrpc`, `rest`) that answer the same `queries`; `records` has
the records and what becomes of them.
"""

from __future__ import annotations

from connectors.tryton.connector import TrytonConnector
from connectors.tryton.settings import TrytonSettings

__all__ = ["TrytonConnector", "TrytonSettings"]
