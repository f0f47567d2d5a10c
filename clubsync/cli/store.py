"""`clubsync store`: keys and encryption of the snapshot store."""

from __future__ import annotations

import typer

from clubsync.cli.common import AsJson, err, open_base, out, print_json

store_app = typer.Typer(help="Encrypt the snapshot store.", no_args_is_help=True)


@store_app.command("key")
def store_key() -> None:
    """Print a new key for CLUBSYNC_STORE_KEY. Without it, what it has encrypted cannot be read."""
    from clubsync.store.encryption import new_key

    out.say(new_key())


@store_app.command("rekey")
def store_rekey(as_json: AsJson = False) -> None:
    """Encrypt all stored files with the first key of CLUBSYNC_STORE_KEY.

    Files that are not encrypted, or with another of the keys, are replaced one by one. Syncs may run meanwhile.
    If it is interrupted, run it again: it continues with what is left.
    """
    from clubsync.operate.rekey import rekey
    from clubsync.store.snapshots import Store

    with open_base() as base, err.progress("encrypting") as say:
        done = rekey(base, Store(base=base), lambda club, files: say(f"{club}: {files:,} files"))
    if as_json:
        print_json(done)
    else:
        out.say(f"Files encrypted: {done['encrypted']}; already encrypted: {done['already']}.")
