"""A real SFTP server on 127.0.0.1 for one folder and one user: the file drop of the demo and the tests.

`start` runs it in the event loop of the caller, `serving` in a thread of its own.
From the shell: `SFTP_PASSWORD=… python -m sandbox.sftp FOLDER --user demo --port 2222 --var var/sftp`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hmac
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from sandbox import files


@dataclass
class Server:
    """A running server.

    :param host_key: its public key in the format of `known_hosts` ("ssh-ed25519 AAAA…").
    """

    port: int
    user: str
    host_key: str
    acceptor: asyncssh.SSHAcceptor

    @property
    def url(self) -> str:
        """The host of a connection; it addresses the whole folder."""
        return f"sftp://127.0.0.1:{self.port}/"

    @property
    def known_hosts(self) -> str:
        """The `known_hosts` line of a connection."""
        return f"[127.0.0.1]:{self.port} {self.host_key}\n"

    async def stop(self) -> None:
        """Stop listening, and wait until the listener is closed."""
        self.acceptor.close()
        await self.acceptor.wait_closed()


def host_key(var: Path) -> asyncssh.SSHKey:
    """The host key: read from `var`, or generated there on first use, and again if the file is damaged."""
    path = var / "sftp_host_key"
    with contextlib.suppress(FileNotFoundError, asyncssh.KeyImportError):
        return asyncssh.read_private_key(path)
    key = asyncssh.generate_private_key("ssh-ed25519")
    files.put(path, key.export_private_key(), mode=0o600)
    return key


async def start(
    folder: Path,
    *,
    user: str,
    password: str,
    var: Path,
    port: int = 0,
    before_open: Callable[[str], None] | None = None,
) -> Server:
    """Serve `folder`, and nothing outside of it, to one user.

    :param var: the folder of the host key.
    :param port: 0 for any free port; the result says which.
    :param before_open: called with the path as the client names it before a file is opened, to inject faults.
    """
    key = host_key(var)
    root = os.fsencode(folder.resolve())

    class Authentication(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password_: str) -> bool:
            return username == user and hmac.compare_digest(password_.encode(), password.encode())

    class Folder(asyncssh.SFTPServer):
        def __init__(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
            super().__init__(chan, chroot=root)

        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
            if before_open is not None:
                before_open(path.decode())
            return super().open(path, pflags, attrs)

    acceptor = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=Authentication,
        server_host_keys=[key],
        sftp_factory=Folder,
        allow_scp=False,
    )
    public = key.export_public_key().decode().split()
    return Server(acceptor.get_port(), user, f"{public[0]} {public[1]}", acceptor)


@contextlib.contextmanager
def serving(
    folder: Path,
    *,
    user: str,
    password: str,
    var: Path,
    port: int = 0,
    before_open: Callable[[str], None] | None = None,
) -> Iterator[Server]:
    """Run `start` in a thread during the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sftp", daemon=True)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(
            start(
                folder, user=user, password=password, var=var, port=port, before_open=before_open
            ),
            loop,
        ).result(30)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def main() -> None:
    """Serve a folder until interrupted; the password comes from SFTP_PASSWORD."""
    parser = argparse.ArgumentParser(description="SFTP server on 127.0.0.1 for one folder")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--user", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--var", type=Path, required=True, help="folder of the host key")
    options = parser.parse_args()
    password = os.environ.get("SFTP_PASSWORD")
    if not password:
        parser.error("set SFTP_PASSWORD")

    async def run() -> None:
        server = await start(
            options.folder,
            user=options.user,
            password=password,
            var=options.var,
            port=options.port,
        )
        print(f"serving on {server.url} as {server.user}", flush=True)
        await server.acceptor.wait_closed()

    asyncio.run(run())


if __name__ == "__main__":
    main()
