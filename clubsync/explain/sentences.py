"""The sentences of `why`; their translations are in the catalogue (`clubsync.i18n`).

`{club}` is the club's name; the other names in braces are what `why` says there.
"""

from __future__ import annotations

from clubsync.i18n import _

#: reason of a base customer -> why they are out, and what to do.
OUT = {
    "gone": _(
        "the ERP does not have this customer any more. If that is wrong, look in the ERP "
        "whether the record was deleted or archived"
    ),
    "group_inactive": _(
        "all of their groups in the ERP are inactive. Make the group active, or move the "
        "customer to an active one"
    ),
    "former_group": _("the ERP has them in a group of former customers"),
    "expired": _(
        "their membership in the ERP has expired. Renew it there if they are still a customer"
    ),
    "not_begun": _("their membership in the ERP begins later"),
    "no_group": _("they are in no group in the ERP, and this club asks for one"),
    "dependant": _(
        "the ERP has them as a family member without an email of their own. Enter their own "
        "email in the ERP"
    ),
    "email_duplicate": _(
        "their email stands on another customer in the ERP too. Keep it on one of them"
    ),
    "email_given_up": _(
        "their email now belongs to another customer of the ERP, and the ERP has no other for them"
    ),
    "placeholder": _("the ERP's record is not a person"),
    "replaced": _("the ERP merged this record into another one"),
    "merged": _("they were merged into another customer"),
    "detached": _(
        "the club detached them by hand. They come back when the ERP activates them anew, or "
        "when the club adds them again"
    ),
    "inactive": _("the ERP says that they are not active"),
}

WORDS = {
    "several": _("{n} people of {club} have that in their name. Ask by email or ERP id."),
    "this_email": _("This email"),
    "this_id": _("This ERP id"),
    "never_read": _("{club} has never been read. Sync the club first."),
    "not_complete": _(
        "{what} was not in the ERP's answer of {when}, which was not complete. Wait for a "
        "complete reading, or look in the ERP."
    ),
    "not_there": _(
        "{what} was not in the ERP's answer of {when}, which was complete ({customers} "
        "customers). Check the spelling, and whether the customer was added to the ERP since."
    ),
    "named": _("ERP id {erp_id}"),
    "nameless": _("This customer, who has no ERP id,"),
    "gone_since": _("The ERP has not had the record since {when}."),
    "last_change": _("The ERP's record last changed, as we saw it, on {when}: status {status}."),
    "in": _("{name} is in the Customers group of {club}."),
    "held": _(
        "A person has to decide whether they stay: hold {hold} ({cause}), open since {when}."
    ),
    "linked": _("The app account is linked."),
    "not_registered": _("Nobody has registered in the app with this email yet."),
    "email_unconfirmed": _(
        "Somebody registered in the app with this email and has not confirmed it yet."
    ),
    "email_mismatch": _("Their app account has another email than the ERP."),
    "out": _("{name} is not in the Customers group of {club}"),
    "since": _(" since {when}"),
    "because": _(":"),
    "status": _("the ERP gives them the status {status}"),
    "never": _("{name} has never been in the Customers group of {club}"),
    "plain_status": _("the ERP gives the status {status}"),
    "first_seen": _("first seen in the ERP"),
    "not_any_more": _("not in the ERP any more"),
    "opened": _("finding {code} opened"),
    "closed": _("finding {code} closed"),
    "kind_addition": _("addition"),
    "kind_deactivation": _("deactivation"),
    "kind_reactivation": _("reactivation"),
    "kind_email_change": _("email change"),
    "kind_profile_change": _("profile change"),
    "kind_group_change": _("group change"),
    "kind_merge": _("merge"),
    "kind_adoption": _("adoption"),
    "kind_similar_ignored": _("similar ignored"),
    "kind_erasure": _("erasure"),
}
