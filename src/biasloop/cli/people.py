"""annotator add, list, link, revoke, remove."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli.context import (
    Json,
    Workspace,
    Yes,
    confirm,
    fail,
    open_workspace,
    print_json,
    say,
    table,
)

if TYPE_CHECKING:
    from biasloop.domain.person import Person
    from biasloop.service.service import Service

Email = Annotated[str, typer.Argument(help="E-mail address of the annotator.", show_default=False)]
Name = Annotated[str, typer.Option(help="Name, for the greeting in the mail.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command()(add)
    app.command("list")(list_people)
    app.command()(link)
    app.command()(revoke)
    app.command()(remove)


def add(email: Email, name: Name = "", json: Json = False, workspace: Workspace = None) -> None:
    """Adds an annotator and prints their personal link.

    It also prints a text for an e-mail. Without the gateway (`serve` with gateway.with_serve unset)
    it creates an account with a password in Label Studio instead.
    """
    service = open_workspace(workspace)
    if not service.settings.has_gateway:
        _add_account(service, email, json)
        return
    _show_link(service, service.access.add(email, name), json)


def link(email: Email, json: Json = False, workspace: Workspace = None) -> None:
    """Prints a new personal link for an annotator. Earlier links stay valid until they end."""
    service = _open(workspace)
    _show_link(service, service.access.require(email), json)


def revoke(email: Email, json: Json = False, workspace: Workspace = None) -> None:
    """Ends all links and sessions of an annotator at once. `annotator link` makes a new link."""
    service = _open(workspace)
    ended = service.access.revoke(service.access.require(email))
    if json:
        print_json({"email": email, "ended": ended})
    else:
        say(f"{ended} links and sessions of {email} have been ended")


def remove(
    email: Email,
    erase: Annotated[
        bool,
        typer.Option("--erase", help="Also erase name and address, from known backups as well."),
    ] = False,
    yes: Yes = False,
    json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Ends all that an annotator may do. Their votes stay, under the same pseudonym.

    Exit status 1: they are removed, but a backup could not be opened, so that name and address are
    not erased in this workspace yet.
    """
    from biasloop.errors import WorkspaceError
    from biasloop.service.people import remove_person

    confirm(f"Remove {email}{' and erase name and address for good' if erase else ''}?", yes)
    removal = remove_person(_open(workspace), email, erase=erase)
    if json:
        print_json(asdict(removal))
    else:
        say(f"{email} is removed; votes stay under {removal.pseudonym}")
        if removal.erased:
            say("  name and address are erased")
        for backup in removal.backups:
            say(f"  erased from the backup {backup} as well")
        for backup in removal.backups_missing:
            say(
                f"  the backup {backup} is not there; if it still exists, it holds name and address"
            )
    if removal.backups_left:
        raise WorkspaceError(
            f"these backups could not be opened: {', '.join(removal.backups_left)}; make them "
            "readable or delete them, then run the same command again: until then name and address "
            "stay in the ledger"
        )


def list_people(json: Json = False, workspace: Workspace = None) -> None:
    """Shows everyone who may label or once could.

    It also says until when their links are valid.
    """
    service = _open(workspace)
    rows = [_row(service, person) for person in service.ledger.people.all()]
    if json:
        print_json(rows)
    elif not rows:
        say("nobody has been added yet; `biasloop annotator add EMAIL` prints a personal link")
    else:
        columns = ["email", "name", "pseudonym", "added", "valid until", "removed"]
        table([row | {"valid until": row["link_valid_until"]} for row in rows], columns)


def _open(workspace: Path | None) -> "Service":
    """The workspace. Raises ConfigError where nobody comes by a link."""
    service = open_workspace(workspace)
    if not service.settings.has_gateway:
        raise fail(
            "with `serve` there is no gateway until gateway.with_serve is set; without it "
            "annotators have accounts in Label Studio, and are managed there"
        )
    return service


def _row(service: "Service", person: "Person") -> dict[str, Any]:
    from biasloop.cli.context import now
    from biasloop.store.people import KeyKind

    links = [
        k.until for k in service.ledger.people.keys_of(person.id, now()) if k.kind is KeyKind.LINK
    ]
    return {
        "email": person.email or None,
        "name": person.name or None,
        "pseudonym": person.id,
        "role": person.role,
        "added": person.added_at,
        "link_valid_until": max(links, default=None),
        "removed": person.removed_at,
    }


def _show_link(service: "Service", person: "Person", json: bool) -> None:
    from biasloop.gateway.mail import invitation

    service.settings.gateway.check()
    secret, until = service.access.make_link(person)
    url = f"{service.settings.gateway.address}/l/{secret}"
    about = service.campaign.about
    mail = invitation(about.language, about.title, person.name, url, until)
    if json:
        print_json(
            {
                "email": person.email,
                "pseudonym": person.id,
                "account": person.account,
                "link": url,
                "until": until,
                "mail": asdict(mail),
            }
        )
        return
    say(f"personal link of {person.email}, valid until {_day(until)}:")
    say(f"  {url}")
    if not service.settings.gateway.public_url:
        say("  it works on this machine only, until gateway.public_url is set (docs/gateway.md)")
    say("")
    say("text for an e-mail:")
    say("")
    say(mail.subject)
    say("")
    say(mail.text)


def _day(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d}"


def _add_account(service: "Service", email: str, json: bool) -> None:
    """An account with a password, for a Label Studio that people reach without the gateway."""
    from secrets import token_urlsafe

    service.ensure_project()
    password = token_urlsafe(9)
    account = service.label_studio.add_annotator(email, password)
    access = {
        "email": account.email,
        "password": password if account.new else None,
        "sign_in": f"{service.label_studio_url}/user/login/",
        "label": service.label_studio.task_url(),
    }
    if json:
        print_json(access)
        return
    say(f"{email} signs in at {access['sign_in']}")
    if account.new:
        say(f"  with the password {password} (shown once)")
    else:
        say("  the account exists already; its password has not changed")
    say(f"  and labels at {access['label']}")
