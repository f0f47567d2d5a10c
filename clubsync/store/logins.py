"""As whom the engine is logged in to PostgreSQL (R21).

| who | what for |
|---|---|
| the owner of the tables | migrations, nothing else |
| the engine's login | all work: it owns nothing, and can become no role but clubsync_club, _batch and _reader |

| CLUBSYNC_DATABASE names | the engine's login |
|---|---|
| nothing | `clubsync_login` on the embedded server, which migrations create |
| such a login | that one; CLUBSYNC_DATABASE_OWNER names the owner, for migrations; the embedded server's is known |
| the owner, or a superuser, without a password (a socket, pgpass) | `clubsync_login` on the same server |
| the owner, or a superuser, with a password | the owner: row-level security can be lifted, and `clubs check` says so |
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa
from tenacity import retry, retry_if_exception, stop_after_delay, wait_exponential_jitter

from clubsync.errors import BaseNotReady, BaseOverloaded, BaseUnreachable
from clubsync.store import embedded, trouble
from clubsync.store.statements import Driver, queries
from connectors.sdk import meter
from connectors.sdk.messages import message

if TYPE_CHECKING:
    from alembic.config import Config

#: The login that migrations create where CLUBSYNC_DATABASE names none.
LOGIN = "clubsync_login"
#: The environment variable with the owner's URL.
OWNER = "CLUBSYNC_DATABASE_OWNER"
#: Seconds for which a connection is tried again while PostgreSQL starts, or has none left.
PATIENCE = 10


@dataclass(frozen=True)
class Access:
    """What is known of the database before anybody is connected.

    :param url: what CLUBSYNC_DATABASE says.
    :param owner: what CLUBSYNC_DATABASE_OWNER says.
    """

    url: sa.URL
    owner: sa.URL | None = None

    @classmethod
    def find(cls, url: str | None = None) -> Access:
        """From the environment; or with that URL, and nothing else of the environment."""
        if url:
            return cls(_psycopg3(url))
        if url := os.environ.get("CLUBSYNC_DATABASE"):
            owner = os.environ.get(OWNER) or _embedded_owner(url)
            return cls(_psycopg3(url), _psycopg3(owner, OWNER) if owner else None)
        server = _embedded()
        return cls(_psycopg3(server.url("clubsync", user=LOGIN)), _psycopg3(server.url("clubsync")))


@dataclass(frozen=True)
class Login:
    """As whom the engine works.

    :param url: with its password.
    :param lifts: whether its sessions could lift row-level security.
    :param owner: the tables' owner, where known.
    """

    url: sa.URL
    lifts: bool
    owner: sa.URL | None


def log_in(access: Access, *, upgrade: bool = False) -> Login:
    """The engine's login; the schemas are brought up to date, and the login is made, where they are not yet.

    :param upgrade: as the owner, even if nothing seems to be missing.
    :raises BaseUnreachable, BaseOverloaded: the database does not respond, or rejects the credentials.
    :raises BaseNotReady: something is missing, and only the owner, or an administrator, can add it.
    """
    state, owner = _look(access.url, required=access.owner is None), access.owner
    if state is not None and owner is None and (state.lifts or not state.made):
        owner = access.url
    wanted = _wanted(access.url, owner)
    ready = state is not None and state.current and (wanted is None or state.admits(wanted))
    if owner is None and not ready:
        raise _not_ready(access)
    if owner is not None and (upgrade or not ready):
        _upgrade(owner, wanted, new=state is None)
        state = None
    if wanted is not None and wanted != access.url:
        found = _look(wanted)
        if found is not None and not found.lifts:
            return Login(wanted, False, owner)
    state = state or _look(access.url, required=True)
    assert state is not None  # it was required
    return Login(access.url, state.lifts, owner)


def _wanted(url: sa.URL, owner: sa.URL | None) -> sa.URL | None:
    """The login that the engine should have; None: of an owner with a password nothing but the owner is known."""
    if url != owner:
        return url
    return url.set(username=LOGIN) if url.password is None else None


@dataclass(frozen=True)
class _State:
    """What a session is, and what it finds.

    :param made: there are tables.
    :param current: they are those of this version of the code.
    :param admitted: the logins that may work as the engine: of this one and `LOGIN`.
    """

    lifts: bool
    made: bool
    current: bool
    admitted: frozenset[str]

    def admits(self, url: sa.URL) -> bool:
        return url.username in self.admitted


def _look(url: sa.URL, *, required: bool = False) -> _State | None:
    """Log in and look around; None: there is no such login.

    :param required: it has to be there.
    """
    try:
        with _connection(url) as (connection, driver):
            row = queries().login_state(driver, logins=[str(url.username), LOGIN])
            admitted = frozenset(row["admitted"])
            lifts, made = bool(row["lifts"]), row["made"]
            sees = made and (lifts or url.username in admitted)
            revision = _revision(connection) if sees else None
            if revision is not None and revision not in _revisions():
                raise _newer()
            current = sees and revision == _head()
            return _State(lifts, made, current, admitted)
    except BaseUnreachable:
        if required:
            raise
        return None


def _upgrade(owner: sa.URL, login: sa.URL | None, *, new: bool) -> None:
    """Migrate as the owner, and let the login work as the engine; two processes at once take turns.

    :param new: the login could not log in: it is made, with its password.
    """
    with _connection(owner) as (connection, driver):
        connection.execute(sa.text("select pg_advisory_lock(7251, 1)"))
        try:
            revision = _revision(connection)
            if revision is not None and revision not in _revisions():
                raise _newer()
            if revision != _head():
                _migrate(connection)
            if login is not None:
                _admit(driver, login, new=new)
        except psycopg.errors.InsufficientPrivilege as error:
            raise _not_allowed(str(owner.username)) from error
        finally:
            driver.rollback()
            connection.rollback()
            connection.execute(sa.text("select pg_advisory_unlock(7251, 1)"))
            connection.commit()


def _migrate(connection: sa.Connection) -> None:
    from alembic import command

    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def _admit(driver: Driver, login: sa.URL, *, new: bool) -> None:
    """:raises BaseNotReady: the owner may not do that."""
    verifier, password = None, login.password
    if new and password is not None:
        name = str(login.username).encode()
        verifier = driver.pgconn.encrypt_password(
            str(password).encode(), name, b"scram-sha-256"
        ).decode()
    try:
        queries().admit_login(driver, login=str(login.username), verifier=verifier)
        driver.commit()
    except psycopg.errors.InsufficientPrivilege as error:
        raise BaseNotReady(
            message(f"The owner of the club base may not create the login {login.username}."),
            remedy=message(f"An administrator of the server has to run: {_sql(login)}"),
        ) from error


def _sql(login: sa.URL) -> str:
    """What makes a login of the engine's."""
    return (
        f"create role {login.username} login password '...'; "
        f"grant clubsync_engine to {login.username} with inherit true, set false; "
        f"grant clubsync_club, clubsync_batch, clubsync_reader to {login.username} with inherit false, set true;"
    )


def unconfined(login: Login) -> tuple[str, str]:
    """What to say of a login that can lift row-level security: a sentence, and what to do."""
    return (
        message(
            f"The engine works as {login.url.username}, who can read and change every club and the audit: "
            "row-level security does not bind the owner of the tables, nor a superuser."
        ),
        message(
            f"Name a login of its own in CLUBSYNC_DATABASE and the owner in {OWNER}, and run `clubsync db upgrade` "
            "(docs/operating.md)."
        ),
    )


def _not_ready(access: Access) -> BaseNotReady:
    return BaseNotReady(
        message(
            f"The login {access.url.username} cannot work with the club base: it is of another version of clubsync, "
            "or the login was not set up."
        ),
        remedy=message(
            f"Run `clubsync db upgrade` with the owner of its tables in {OWNER}: it migrates, and sets up the login."
        ),
    )


def _newer() -> BaseNotReady:
    return BaseNotReady(
        message("The club base was migrated by a newer version of clubsync than this one."),
        remedy=message(
            "Run that version: all processes that work with a club base have to be of one version. To go back to this "
            "one, restore a dump from before the upgrade."
        ),
    )


def _not_allowed(owner: str) -> BaseNotReady:
    roles = "clubsync_club, clubsync_batch, clubsync_reader, clubsync_engine"
    created = " ".join(f"create role {role} nologin;" for role in roles.split(", "))
    return BaseNotReady(
        message(f"The user {owner} may not migrate the club base."),
        remedy=message(
            f"Name the owner of its schemas in {OWNER}. If the owner may not create roles, an administrator of the "
            f"server has to run first: {created} grant {roles} to {owner} with admin option;"
        ),
    )


def _alembic() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


@lru_cache(maxsize=1)
def _head() -> str | None:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_alembic()).get_current_head()


@lru_cache(maxsize=1)
def _revisions() -> frozenset[str]:
    """Every revision that this version of the code knows."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_alembic())
    return frozenset(script.revision for script in scripts.walk_revisions())


def preload() -> None:
    """Import what `log_in` needs, and read which revisions there are."""
    import alembic.runtime.migration  # noqa: F401  # imported to be there

    _head()
    _revisions()


def _revision(connection: sa.Connection) -> str | None:
    from alembic.runtime.migration import MigrationContext

    options = {"version_table": "clubsync_version", "version_table_schema": "public"}
    revision = MigrationContext.configure(connection, opts=options).get_current_revision()
    connection.rollback()
    return revision


# --- connecting -------------------------------------------------------------------------------


def _embedded() -> embedded.Server:
    """The embedded server, started when it does not run."""
    try:
        server = embedded.ensure_running(embedded.default_data_dir())
        server.create_database("clubsync")
    except (embedded.EmbeddedPostgresError, OSError, psycopg.Error) as error:
        raise BaseUnreachable(
            f"The embedded PostgreSQL in {embedded.default_data_dir()} did not start: {error}",
            remedy="Fix what it says, or set CLUBSYNC_DATABASE to a server of your own.",
        ) from error
    return server


def _embedded_owner(url: str) -> str | None:
    """The owner's URL, if this one is the login of this machine's own embedded server."""
    if f"//{LOGIN}@" not in url:
        return None
    with suppress(embedded.EmbeddedPostgresError, OSError):
        server = embedded.status(embedded.default_data_dir())
        if server is not None and url == server.url("clubsync", user=LOGIN):
            return server.url("clubsync")
    return None


def _psycopg3(url: str, variable: str = "CLUBSYNC_DATABASE") -> sa.URL:
    """Any way to write a PostgreSQL URL -> SQLAlchemy's, for psycopg 3."""
    if url.startswith("postgres://"):
        url = "postgresql" + url[len("postgres") :]
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "postgresql":
        raise BaseUnreachable(
            f"{variable} names a {parsed.get_backend_name()} database.",
            remedy="clubsync needs PostgreSQL 16 or newer: postgresql://user:password@host/database.",
        )
    return parsed.set(drivername="postgresql+psycopg")


def engine(url: sa.URL, **options: Any) -> sa.Engine:
    """:param options: of the pool; none: every connection is a new one."""
    made = sa.create_engine(
        url,
        connect_args={"autocommit": False, "application_name": "clubsync"},
        **(options or {"poolclass": sa.NullPool}),
    )
    sa.event.listen(made, "do_connect", _connect)
    return made


class _MeteredConnection(psycopg.Connection[Any]):
    """A connection that tells how long PostgreSQL was waited for."""

    def wait(self, *args: Any, **options: Any) -> Any:
        """Wait for PostgreSQL, as psycopg does."""
        with meter.part(meter.DATABASE):
            return super().wait(*args, **options)


def _connect(
    _dialect: object, _record: object, args: list[Any], options: dict[str, Any]
) -> psycopg.Connection[Any]:
    """Connect as SQLAlchemy would, with a connection of ours."""
    with meter.part(meter.DATABASE):
        return _MeteredConnection.connect(*args, **options)


@contextmanager
def _connection(url: sa.URL) -> Iterator[tuple[sa.Connection, Driver]]:
    with connected(engine(url)) as connection:
        yield connection, driver_of(connection)


def driver_of(connection: sa.Connection) -> Driver:
    """The driver's own connection."""
    driver: Driver = connection.connection.driver_connection  # type: ignore[assignment]  # SQLAlchemy: any DBAPI
    return driver


@retry(
    retry=retry_if_exception(trouble.is_passing),
    stop=stop_after_delay(PATIENCE),
    wait=wait_exponential_jitter(multiplier=0.1, max=2),
    reraise=True,
)
def _opened(engine: sa.Engine) -> sa.Connection:
    """A connection; waits a moment where PostgreSQL is starting, or has none left."""
    return engine.connect()


def connected(engine: sa.Engine) -> sa.Connection:
    """:raises BaseUnreachable, BaseOverloaded: there is no connection to be had."""
    try:
        return _opened(engine)
    except sa.exc.OperationalError as error:
        known = trouble.explained(error)
        if isinstance(known, BaseOverloaded):
            raise known from error
        raise BaseUnreachable(
            "The club base does not answer: " + str(error.orig).strip().splitlines()[0],
            remedy="Check that its PostgreSQL runs (`make status`) and what CLUBSYNC_DATABASE says.",
        ) from error
