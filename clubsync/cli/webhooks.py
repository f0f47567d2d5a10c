"""`clubsync webhooks`: what is delivered to the webhooks of clubs.yaml, and what is not (R30)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clubsync.cli.common import AsJson, open_base, out, print_json, table

if TYPE_CHECKING:
    from clubsync.config import Config, WebhookConfig

webhooks_app = typer.Typer(
    help="Deliver the change feed to webhooks, and see what was not delivered.",
    no_args_is_help=True,
)

WebhookId = Annotated[
    str, typer.Argument(metavar="WEBHOOK", help="The webhook's id in clubs.yaml.")
]
Clubs = Annotated[
    list[str] | None,
    typer.Option("--club", metavar="CLUB", help="Only of this club; repeatable. Default: all."),
]


@webhooks_app.command("list")
def list_webhooks(as_json: AsJson = False) -> None:
    """List webhooks: what they are sent, and whether it arrives."""
    from clubsync.config import load_config
    from clubsync.feed import webhooks

    with open_base() as base:
        rows = webhooks.states(base, load_config())
    if as_json:
        print_json(rows)
        return
    table(
        "Webhooks",
        rows,
        {
            "webhook": "webhook",
            "clubs": "clubs",
            "delivered_at": "last delivery",
            "failing": "clubs failing",
            "failing_since": "failing since",
            "dead": "clubs given up",
            "problem": "problem",
        },
    )


@webhooks_app.command()
def dead(
    webhook: Annotated[
        str | None, typer.Argument(metavar="[WEBHOOK]", help="Only of this webhook.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List messages that were given up. Their clubs get nothing more until `webhooks replay` is run."""
    from clubsync.config import load_config
    from clubsync.feed import webhooks

    if webhook is not None:
        _webhook(load_config(), webhook)
    with open_base() as base:
        rows = webhooks.dead(base, webhook)
    if as_json:
        print_json(rows)
        return
    table(
        "Messages given up",
        rows,
        [
            "webhook",
            "club",
            "message",
            "events",
            "after",
            "tries",
            "first_try_at",
            "dead_at",
            "problem",
        ],
    )


@webhooks_app.command("test")
def send_test(webhook: WebhookId, as_json: AsJson = False) -> None:
    """Send a signed test message now (type `clubsync.test`), and say what came of it."""
    from clubsync import connections
    from clubsync.config import load_config
    from clubsync.feed import webhooks

    message, answer = webhooks.try_out(_webhook(load_config(), webhook), connections.resolve)
    delivered = answer.problem is None
    if as_json:
        print_json({"message": message, "delivered": delivered, "problem": answer.problem})
    else:
        out.say(f"Message {message}: {answer.problem or 'delivered.'}")
    if not delivered:
        raise typer.Exit(1)


@webhooks_app.command()
def deliver(as_json: AsJson = False) -> None:
    """Deliver what is due now. In Airflow the Dag `webhooks` does this every minute."""
    from clubsync import connections
    from clubsync.config import load_config
    from clubsync.feed import webhooks

    with open_base() as base:
        done = webhooks.deliver(base, load_config(), connections.resolve)
    rows: list[dict[str, Any]] = [vars(one) for one in done]
    if as_json:
        print_json(rows)
    else:
        table("Delivered", rows, ["webhook", "messages", "events", "failed", "dead", "problem"])
    if any(one.problem for one in done):
        raise typer.Exit(1)


@webhooks_app.command()
def replay(
    webhook: WebhookId,
    club_ids: Clubs = None,
    after: Annotated[
        str | None,
        typer.Option(
            "--after",
            metavar="CURSOR",
            help="Deliver everything after this cursor again: the id of an event, 0 for the beginning, or `latest`.",
        ),
    ] = None,
    skip: Annotated[
        bool,
        typer.Option("--skip", help="Never send the message that was given up; continue after it."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Resume after a failure: the same message again, or everything from a cursor on."""
    from clubsync.config import load_config
    from clubsync.feed import webhooks

    if skip and after is not None:
        raise typer.BadParameter("--skip and --after exclude each other.")
    config = load_config()
    clubs = [config.club(club_id).id for club_id in club_ids or []]
    with open_base() as base:
        lanes = webhooks.replay(
            base, config, _webhook(config, webhook), clubs=clubs, after=after, skip=skip
        )
    if as_json:
        print_json({"webhook": webhook, "clubs": lanes})
    else:
        out.say(
            f"Webhook {webhook}: {', '.join(lanes) or 'no club'} resumes with the next delivery."
        )


def _webhook(config: Config, webhook_id: str) -> WebhookConfig:
    """:raises typer.BadParameter: clubs.yaml has no such webhook."""
    for webhook in config.webhooks:
        if webhook.id == webhook_id:
            return webhook
    known = ", ".join(webhook.id for webhook in config.webhooks) or "none"
    raise typer.BadParameter(f"{config.path} has no webhook {webhook_id!r}; it has: {known}.")
