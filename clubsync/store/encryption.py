"""Encryption at rest: what lies in the snapshot store, when `CLUBSYNC_STORE_KEY` is set.

Every file is AES-256-GCM with a key of its own, which HKDF-SHA256 makes of one of ours and a random salt. It is bound
to its place in the store: a file that was moved, another club's for example, does not open. It is written in
segments, each with its number and whether it is the last, so that nothing can be removed, swapped or added::

    CSE1 | id of the key (8 bytes) | salt (16) | segment | segment | …

Several keys are separated by commas: the first one writes, all of them read. Files from before there was a key stay
readable, until `clubsync store rekey` encrypts them.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from clubsync.errors import ConfigError, SnapshotUnreadable

VARIABLE = "CLUBSYNC_STORE_KEY"
MAGIC = b"CSE1"
KEY_BYTES, _ID_BYTES, _SALT_BYTES, _TAG_BYTES = 32, 8, 16, 16
#: How a file begins that a key has encrypted.
HEAD_BYTES = len(MAGIC) + _ID_BYTES
SEGMENT = 2**20


def new_key() -> str:
    """A key, as `CLUBSYNC_STORE_KEY` takes it."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


@dataclass(frozen=True)
class Keys:
    """The keys of a store.

    :param by_id: the id that files name -> the key, 32 bytes; the first one writes. None: nothing is encrypted.
    """

    by_id: dict[bytes, bytes]

    @classmethod
    def from_environment(cls) -> Keys:
        """:raises ConfigError: one of them is no key."""
        given = [part.strip() for part in os.environ.get(VARIABLE, "").split(",")]
        return cls.of([part for part in given if part])

    @classmethod
    def of(cls, texts: list[str]) -> Keys:
        keys = [_key(text, number) for number, text in enumerate(texts, 1)]
        return cls({_id(key): key for key in keys})

    def __bool__(self) -> bool:
        return bool(self.by_id)

    @property
    def head(self) -> bytes:
        """How the files begin that are written now; b"" if they are not encrypted."""
        return MAGIC + next(iter(self.by_id)) if self.by_id else b""

    @contextmanager
    def sealed(self, file: IO[bytes], at: str) -> Iterator[IO[bytes]]:
        """A file to write into; what was written is in `file`, encrypted, when the block has ended well.

        :param at: the place of the file in the store, which it is bound to.
        """
        if not self.by_id:
            yield file
            return
        plain = io.BytesIO()
        yield plain
        key = next(iter(self.by_id.values()))
        salt = secrets.token_bytes(_SALT_BYTES)
        file.write(self.head + salt)
        cipher, known = _cipher(key, salt), _known(self.head, at)
        content = plain.getbuffer()
        for number, start in enumerate(range(0, max(len(content), 1), SEGMENT)):
            last = start + SEGMENT >= len(content)
            segment = content[start : start + SEGMENT]
            file.write(cipher.encrypt(_nonce(number, last), segment, known))

    def opened(self, content: bytes, at: str) -> bytes:
        """The content of a file, decrypted if it is encrypted.

        :param at: where the file is in the store.
        :raises SnapshotUnreadable: with a key that is not one of these; or it was changed, cut or moved.
        """
        if not content.startswith(MAGIC):
            return content
        key = self.by_id.get(content[len(MAGIC) : HEAD_BYTES])
        if key is None:
            raise SnapshotUnreadable(
                f"The stored file {at} is encrypted with a key that {VARIABLE} does not have.",
                remedy=f"Add that key to {VARIABLE}, after a comma; `clubsync store rekey` then encrypts all files "
                "with the first one.",
            )
        start = HEAD_BYTES + _SALT_BYTES
        cipher = _cipher(key, content[HEAD_BYTES:start])
        known, step = _known(content[:HEAD_BYTES], at), SEGMENT + _TAG_BYTES
        try:
            return b"".join(
                cipher.decrypt(
                    _nonce(number, place + step >= len(content)),
                    content[place : place + step],
                    known,
                )
                for number, place in enumerate(range(start, max(len(content), start + 1), step))
            )
        except (InvalidTag, ValueError):
            raise SnapshotUnreadable(
                f"The stored file {at} was changed, truncated or moved after it was written.",
                remedy="Nothing of it was used. Find out who writes to the snapshot store; then sync the club again.",
            ) from None


def _key(text: str, number: int) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"Key {number} of {VARIABLE} is not {KEY_BYTES} bytes in base64.",
            remedy="`clubsync store key` makes a new key. Without the right key, stored snapshots cannot be read.",
        )
    return key


def _id(key: bytes) -> bytes:
    return hashlib.sha256(b"clubsync store key" + key).digest()[:_ID_BYTES]


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=b"clubsync store file")
    return AESGCM(derived.derive(key))


def _nonce(number: int, last: bool) -> bytes:
    # a key is used for one file only, so that a segment's number is enough
    return number.to_bytes(11, "big") + bytes([last])


def _known(head: bytes, at: str) -> bytes:
    return head + at.encode()
