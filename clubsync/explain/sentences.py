"""The sentences of `why`; their translations are in the catalogue (`clubsync.i18n`).

`{club}` is the club's name; `why` fills in the other names in braces.
"""

from __future__ import annotations

from clubsync.i18n import _
from clubsync.model import Situation

#: The reason of a base customer -> why they have no access, and what to do.
OUT = {
    "gone": _(
        "the ERP no longer has this customer. If that is a mistake, check in the ERP whether the "
        "record was deleted or archived"
    ),
    "group_inactive": _(
        "all of their groups in the ERP are inactive. Activate the group, or move the customer to "
        "an active one"
    ),
    "former_group": _("the ERP has them in a group of former customers"),
    "expired": _(
        "their membership in the ERP has expired. Renew it there if they are still a customer"
    ),
    "not_begun": _("their membership in the ERP has not started yet"),
    "no_group": _("they have no group in the ERP, and this club requires one"),
    "other_group": _(
        "none of their groups in the ERP is one that gives access in this club. Add them to one that does"
    ),
    "dependant": _(
        "the ERP has them as a family member without an email of their own. To give them access, "
        "enter their own email in the ERP"
    ),
    "email_duplicate": _(
        "another ERP customer shares their email and has the access. Keep the email on one of them"
    ),
    "email_given_up": _(
        "their email now belongs to another ERP customer, and the ERP has no other email for them"
    ),
    "placeholder": _("the ERP record is not a person"),
    "replaced": _("the ERP merged this record into another one"),
    "merged": _("they were merged into another customer"),
    "detached": _(
        "the club detached them by hand. They get access again when the ERP activates them again, "
        "or when the club adds them again"
    ),
    "id_reused": _("their ERP id now belongs to another person"),
    "inactive": _("they are inactive in the ERP"),
    "elsewhere": _("the ERP has them in another club of the chain"),
    "unlisted": _("none of their memberships in the ERP is one of this club"),
}

#: A record's situation (`clubsync.diff.plan`), in words.
SITUATIONS = {
    Situation.UNSEEN: _("not in the last sync, which was incomplete"),
    Situation.SUSPECTED: _("changed while the ERP was being read; awaiting a second reading"),
    Situation.CONFLICTING: _("listed several times in the ERP, with different content"),
    Situation.UNSETTLED: _("changed in the ERP; a later sync will decide"),
    Situation.ID_REUSED: _("the ERP id now shows another person; awaiting a decision"),
    Situation.UNDONE: _("kept as it was before a change that was undone"),
    Situation.HELD: _("removal held: awaiting approval, or rejected"),
    Situation.MERGED: _("merged into another record"),
    Situation.GONE: _("no longer in the ERP"),
    Situation.WITHOUT_ID: _("not read, because the row has no id"),
    Situation.NOT_A_PERSON: _("not a person"),
    Situation.INACTIVE: _("not active in the ERP"),
    Situation.DEPENDANT: _("family member of another record"),
    Situation.NO_ACCESS_GROUP: _("in no group that gives access"),
    Situation.IN_DOUBT: _("unclear in the ERP; access stays as it is"),
    Situation.DUPLICATE: _("another record has the same email and gets access"),
    Situation.NEW: _("eligible; the next sync adds them"),
    Situation.DETACHED: _("eligible, but detached by the club"),
    Situation.ELIGIBLE: _("eligible"),
}

#: Kind of sign (`clubsync.diff.suspicion`) -> what awaits a second reading.
SUSPICIONS = {
    "absent": _(
        "The record was missing when the ERP was read at {when}. Lists change while they are read, so nothing "
        "happens until a second complete reading misses it too."
    ),
    "email": _(
        "When the ERP was read at {when}, the record had the email {what}, which somebody else has. This may be "
        "half of a swap: a second complete reading has to show it too."
    ),
    "dependant": _(
        "When the ERP was read at {when}, record {what} had taken on this person's email. A second complete "
        "reading has to show it too."
    ),
    "memberships": _(
        "When the ERP was read at {when}, memberships of this person were missing ({what}). A second complete "
        "reading has to miss them too."
    ),
    "no membership": _(
        "The record is new, and no membership of theirs was seen when the ERP was read at {when}. A second "
        "complete reading decides."
    ),
    "guardian": _(
        "The guardian {what} was missing when the ERP was read at {when}. A second complete reading decides."
    ),
    "moved": _(
        "When the ERP was read at {when}, the record named another club of the chain. This person keeps access here "
        "until that club has taken them over."
    ),
}

WORDS = {
    "several": _("{n} people of {club} match this name. Search by email or ERP id."),
    "this_email": _("This email"),
    "this_id": _("This ERP id"),
    "never_read": _("{club} has never been read. Sync the club first."),
    "not_complete": _(
        "{what} was not in the ERP's response of {when}, which was incomplete. Wait for a complete "
        "read, or check in the ERP."
    ),
    "not_there": _(
        "{what} was not in the ERP's response of {when}, which was complete ({customers} customers). "
        "Check the spelling, and whether the customer was added to the ERP since."
    ),
    "exact_only": _("With your role, search by the exact email or ERP id, not by name."),
    "club_unknown": _(
        "The ERP record names a club that clubs.yaml does not know ({word}, since {when}). Nobody gains or loses "
        "access by it: correct the club in the ERP, or add the word under `members` in clubs.yaml."
    ),
    "club_missing": _(
        "The ERP record names no club (since {when}). Nobody gains or loses access by it: enter the club in the ERP."
    ),
    "erased": _(
        "This person was erased from {club} at their request on {when}. Nothing of theirs is stored, and the ERP "
        "record that they had is ignored while the ERP still sends it. They can get access again under a new ERP id, "
        "or when somebody adds them by hand."
    ),
    "named": _("ERP customer {erp_id}"),
    "nameless": _("This customer, who has no ERP id,"),
    "gone_since": _("The record has been missing from the ERP since {when}."),
    "last_change": _("ERP status: {status} (last change seen {when})."),
    "situation": _("Situation: {situation}."),
    "in": _("{name} is in the Customers group of {club}."),
    "held": _("Removal awaits approval (hold {hold}: {cause}; open since {when})."),
    "linked": _("The app account is linked."),
    "not_registered": _("Nobody has registered in the app with this email yet."),
    "email_unconfirmed": _(
        "Somebody has registered in the app with this email and has not confirmed it yet."
    ),
    "email_mismatch": _("Their app account has a different email than the ERP."),
    "out": _("{name} is not in the Customers group of {club}: {reason}."),
    "out_since": _("{name} has not been in the Customers group of {club} since {when}: {reason}."),
    "never": _("{name} has never been in the Customers group of {club}."),
    "never_because": _("{name} has never been in the Customers group of {club}: {reason}."),
    "moved": _(
        "ERP record {erp_id} gave its place to ERP record {other} on {when}: the ERP merged the two, or the person "
        "signed up again."
    ),
    "by_account": _(
        "{email} is the email of the app account that this customer is linked to; the ERP has another one."
    ),
    "requested": _(
        "Somebody with an app account with this email asked to become a customer of {club} on {when}, and no ERP "
        "record has this email. Accept the request, or enter the email in the ERP: then it is accepted by itself."
    ),
    "refused": _(
        "Somebody with an app account with this email asked to become a customer of {club} on {asked}. The request "
        "was refused on {when}, and no ERP record has this email."
    ),
    "account_only": _(
        "There is an app account with this email. It is linked to nobody in {club}, and no request of theirs is "
        "pending."
    ),
    "hold_rejected": _(
        "Removal was rejected by {who} on {when} (hold {hold}: {cause}). They stay until {until}, or until their "
        "ERP record changes."
    ),
    "hold_decided": _("Hold {hold} {decision} by {who}"),
    "not_loaded": _("the record was not loaded"),
    "request_made": _("Request to become a customer"),
    "approved": _("approved"),
    "rejected": _("rejected"),
    "status": _("their status in the ERP is {status}"),
    "first_seen": _("First seen in the ERP"),
    "not_any_more": _("Missing from the ERP"),
    "opened": _("Finding {code} opened"),
    "closed": _("Finding {code} closed"),
    "event": _("{event}: {reason}"),
    "erp_status": _("ERP status {status}"),
    "account_linked": _("App account linked"),
    "account_unlinked": _("App account unlinked"),
}

#: The four questions of support (`clubsync.explain.questions`), and the answers to them.
ASKED = {
    "record?": _("Is this person in the ERP?"),
    "access?": _("Does the ERP record give access?"),
    "email?": _("Is the email theirs?"),
    "account?": _("Is the app account linked?"),
    "record": _("In the ERP since {since}. Last change seen: {when}."),
    "record gone": _("Missing from the ERP since {when}."),
    "record merged": _("The ERP merged this record into {other}."),
    "record moved": _("Its customer moved to ERP record {other} on {when}."),
    "record by hand": _("No ERP record belongs to this customer. The club added them by hand."),
    "record by request": _(
        "No ERP record belongs to this customer. The club accepted their request."
    ),
    "record none": _("No ERP record has this email."),
    "record other": _("The record is {situation}."),
    "check the ERP": _(
        "If that is a mistake, check in the ERP whether the record was deleted or archived."
    ),
    "reading": _("Reading of {when}, complete."),
    "incomplete reading": _(
        "Reading of {when}, which was incomplete; the last complete one is of {certified}."
    ),
    "first incomplete reading": _(
        "Reading of {when}, which was incomplete; there is no complete one yet."
    ),
    "access yes": _("Status, dates and groups give access."),
    "access detached": _(
        "Status, dates and groups give access, but the club detached them by hand on {when}."
    ),
    "access no": _("No: {reason}."),
    "access unknown": _(
        "Unclear: {reason}. Whoever has access keeps it, and whoever has none gains none."
    ),
    "access by hand": _("The club gave it by hand. It does not depend on the ERP."),
    "access none": _("There is no record that could."),
    "no reason": _("something in the record cannot be read or is not known"),
    "add again": _("To give them access again, the club adds them again."),
    "status": _("ERP status: {status}."),
    "status read as": _("ERP status: {word}, read as {status}."),
    "from": _("From {day}."),
    "until": _("Until {day}."),
    "from until": _("From {day} until {last}."),
    "email yes": _("{email} is valid, and nobody else in the club has it."),
    "email kept": _(
        "{email}, which several ERP records have, is theirs: they had it first, or were entered first."
    ),
    "email family": _("They share the email of the family's owner, {other}, or have none."),
    "email other": _("Another ERP record has the same email and the access: {other}."),
    "email missing": _("The ERP record has no email."),
    "email invalid": _("The email of the ERP record is not valid."),
    "email placeholder": _(
        "The email of the ERP record is a placeholder, or many unrelated records have it."
    ),
    "email unreadable": _("The email of the ERP record cannot be read."),
    "email given up": _("Somebody else needed the email, and the ERP has no other for them."),
    "account linked": _("Linked to an app account with the same email."),
    "account unconfirmed": _(
        "Somebody registered in the app with this email and has not confirmed it yet."
    ),
    "confirm": _("They confirm it by the link in the email that the app sent."),
    "account mismatch": _("Their app account has another email: {email}."),
    "one email": _(
        "Enter the same email in both: in the ERP, or in the app, where they change it themselves."
    ),
    "account none": _("Nobody has registered in the app with this email."),
    "register": _("They register in the app with exactly this email."),
    "account waits": _(
        "There is an app account with this email. It is linked as soon as they get access."
    ),
    "account requested": _("They asked in the app to become a customer on {when}."),
    "decide": _("Accept or refuse the request."),
}

#: What a group of a record is worth (`clubsync.validate.facts.memberships`).
MEMBERSHIPS = {
    "gives": _("Gives access."),
    "former": _("Group of former customers."),
    "unreadable": _("Its dates cannot be read."),
    "not_begun": _("Not started yet."),
    "ended": _("Ended."),
    "inactive": _("Inactive in the ERP."),
    "unknown": _("Not in the ERP's list of groups, or its state is unknown."),
    "other": _("Not a group that gives access in this club."),
}

#: State of a club (`clubsync.explain.standing`) -> what it means for every answer about its customers.
STANDING = {
    "as_of": _("As of the complete reading of {when}."),
    "never": _("The club has never been read completely."),
    "paused": _(
        "The club is paused: nothing is read until somebody resumes it, so the ERP may say otherwise by now."
    ),
    "quarantined": _(
        "Readings have failed since {since}, and the next one is on {until}, so the ERP may say otherwise by now: "
        "{error}"
    ),
    "failing": _(
        "Readings have failed since {since}, so the ERP may say otherwise by now: {error}"
    ),
    "held": _("Deactivations await approval (hold {hold})."),
    "first": _("The first sync awaits approval: nobody has access before it."),
    "late": _("These data are older than promised."),
}

#: kind of change -> the event, as the history names it.
EVENTS = {
    "addition": _("Access given"),
    "deactivation": _("Access removed"),
    "reactivation": _("Access given again"),
    "email_change": _("Email changed"),
    "profile_change": _("Profile changed"),
    "group_change": _("Groups changed"),
    "merge": _("Moved to the record of a merge"),
    "adoption": _("Moved to an ERP record with the same email"),
    "similar_ignored": _("Similar record ignored"),
    "same_person": _("Confirmed as the same person"),
    "erasure": _("Person erased"),
}

#: Reasons that the event already says.
SELF_EVIDENT = frozenset({"eligible", "erp", "same_email"})

#: reason of a change -> the reason, as the history names it.
REASONS = {
    "eligible": _("eligible in the ERP"),
    "erp": _("changed in the ERP"),
    "same_email": _("new ERP record with the same email"),
    "app": _("app account"),
    "on request": _("erasure request"),
    "merged": _("merged into another customer"),
    "by_hand": _("by hand"),
    "request_accepted": _("request accepted"),
    "detached": _("detached by hand"),
    "undone": _("undone"),
    "redone": _("redone"),
    "id_reused": _("ERP id belongs to another person"),
    "gone": _("missing from the ERP"),
    "group_inactive": _("inactive group"),
    "former_group": _("former member"),
    "expired": _("membership expired"),
    "not_begun": _("membership not started"),
    "no_group": _("no group"),
    "other_group": _("no group that gives access"),
    "dependant": _("family member"),
    "email_duplicate": _("shares the email of another customer"),
    "email_given_up": _("email belongs to another customer"),
    "placeholder": _("not a person"),
    "replaced": _("merged in the ERP"),
    "inactive": _("inactive in the ERP"),
    "elsewhere": _("moved to another club of the chain"),
    "unlisted": _("on no membership of this club"),
}
