"""The sentences of `why`, in English and in French.

`{club}` is the club's name; the other names in braces are what `why` says there.
"""

from __future__ import annotations

MONTHS = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "fr": [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
}

#: reason of a base customer -> why they are out, and what to do.
OUT = {
    "en": {
        "gone": "the ERP does not have this customer any more. If that is wrong, look in the ERP whether "
        "the record was deleted or archived",
        "group_inactive": "all of their groups in the ERP are inactive. Make the group active, or move the "
        "customer to an active one",
        "former_group": "the ERP has them in a group of former customers",
        "expired": "their membership in the ERP has expired. Renew it there if they are still a customer",
        "not_begun": "their membership in the ERP begins later",
        "no_group": "they are in no group in the ERP, and this club asks for one",
        "dependant": "the ERP has them as a family member without an email of their own. Enter their own "
        "email in the ERP",
        "email_duplicate": "their email stands on another customer in the ERP too. Keep it on one of them",
        "email_given_up": "their email now belongs to another customer of the ERP, and the ERP has no other "
        "for them",
        "placeholder": "the ERP's record is not a person",
        "replaced": "the ERP merged this record into another one",
        "merged": "they were merged into another customer",
        "detached": "the club detached them by hand. They come back when the ERP activates them anew, or "
        "when the club adds them again",
        "inactive": "the ERP says that they are not active",
    },
    "fr": {
        "gone": "le logiciel n'a plus ce client. Si c'est une erreur, regardez dans le logiciel si la fiche a "
        "été supprimée ou archivée",
        "group_inactive": "tous ses groupes dans le logiciel sont inactifs. Activez le groupe, ou mettez le "
        "client dans un groupe actif",
        "former_group": "le logiciel l'a dans un groupe d'anciens clients",
        "expired": "son abonnement dans le logiciel a expiré. Renouvelez-le s'il est toujours client",
        "not_begun": "son abonnement dans le logiciel commence plus tard",
        "no_group": "il n'est dans aucun groupe du logiciel, et ce club en demande un",
        "dependant": "le logiciel l'a comme membre d'une famille, sans adresse à lui. Saisissez sa propre "
        "adresse dans le logiciel",
        "email_duplicate": "son adresse figure aussi sur un autre client du logiciel. Ne la gardez que sur "
        "l'un d'eux",
        "email_given_up": "son adresse est maintenant celle d'un autre client du logiciel, qui n'en a pas "
        "d'autre pour lui",
        "placeholder": "la fiche du logiciel n'est pas une personne",
        "replaced": "le logiciel a fusionné cette fiche avec une autre",
        "merged": "il a été fusionné avec un autre client",
        "detached": "le club l'a détaché à la main. Il reviendra quand le logiciel l'activera à nouveau, ou "
        "quand le club l'ajoutera",
        "inactive": "le logiciel dit qu'il n'est pas actif",
    },
}

WORDS = {
    "en": {
        "several": "{n} people of {club} have that in their name. Ask by email or ERP id.",
        "this_email": "This email",
        "this_id": "This ERP id",
        "never_read": "{club} has never been read. Sync the club first.",
        "not_complete": "{what} was not in the ERP's answer of {when}, which was not complete. Wait for a "
        "complete reading, or look in the ERP.",
        "not_there": "{what} was not in the ERP's answer of {when}, which was complete ({customers} "
        "customers). Check the spelling, and whether the customer was added to the ERP since.",
        "named": "ERP id {erp_id}",
        "nameless": "This customer, who has no ERP id,",
        "gone_since": "The ERP has not had the record since {when}.",
        "last_change": "The ERP's record last changed, as we saw it, on {when}: status {status}.",
        "in": "{name} is in the Customers group of {club}.",
        "held": "A person has to decide whether they stay: hold {hold} ({cause}), open since {when}.",
        "linked": "The app account is linked.",
        "not_registered": "Nobody has registered in the app with this email yet.",
        "email_unconfirmed": "Somebody registered in the app with this email and has not confirmed it yet.",
        "email_mismatch": "Their app account has another email than the ERP.",
        "out": "{name} is not in the Customers group of {club}",
        "since": " since {when}",
        "because": ":",
        "status": "the ERP gives them the status {status}",
        "never": "{name} has never been in the Customers group of {club}",
        "plain_status": "the ERP gives the status {status}",
        "first_seen": "first seen in the ERP",
        "not_any_more": "not in the ERP any more",
        "opened": "finding {code} opened",
        "closed": "finding {code} closed",
        "kind_addition": "addition",
        "kind_deactivation": "deactivation",
        "kind_reactivation": "reactivation",
        "kind_email_change": "email change",
        "kind_profile_change": "profile change",
        "kind_group_change": "group change",
        "kind_merge": "merge",
        "kind_adoption": "adoption",
        "kind_similar_ignored": "similar ignored",
        "kind_erasure": "erasure",
    },
    "fr": {
        "several": "{n} personnes de {club} ont cela dans leur nom. Cherchez par adresse ou par identifiant.",
        "this_email": "Cette adresse",
        "this_id": "Cet identifiant",
        "never_read": "{club} n'a jamais été lu. Synchronisez d'abord le club.",
        "not_complete": "{what} n'était pas dans la réponse du logiciel du {when}, qui n'était pas complète. "
        "Attendez une lecture complète, ou regardez dans le logiciel.",
        "not_there": "{what} n'était pas dans la réponse du logiciel du {when}, qui était complète "
        "({customers} clients). Vérifiez l'orthographe, et si le client a été ajouté au logiciel depuis.",
        "named": "L'identifiant {erp_id}",
        "nameless": "Ce client, sans identifiant dans le logiciel,",
        "gone_since": "Le logiciel n'a plus la fiche depuis le {when}.",
        "last_change": "La fiche du logiciel a changé pour la dernière fois, vu d'ici, le {when} : statut {status}.",
        "in": "{name} est dans le groupe Clients de {club}.",
        "held": "Une personne doit décider s'il y reste : retenue {hold} ({cause}), ouverte depuis le {when}.",
        "linked": "Le compte de l'application est lié.",
        "not_registered": "Personne ne s'est encore inscrit dans l'application avec cette adresse.",
        "email_unconfirmed": "Quelqu'un s'est inscrit dans l'application avec cette adresse sans l'avoir "
        "encore confirmée.",
        "email_mismatch": "Son compte de l'application a une autre adresse que le logiciel.",
        "out": "{name} n'est pas dans le groupe Clients de {club}",
        "since": " depuis le {when}",
        "because": " :",
        "status": "le logiciel lui donne le statut {status}",
        "never": "{name} n'a jamais été dans le groupe Clients de {club}",
        "plain_status": "le logiciel donne le statut {status}",
        "first_seen": "vu pour la première fois dans le logiciel",
        "not_any_more": "n'est plus dans le logiciel",
        "opened": "constat {code} ouvert",
        "closed": "constat {code} fermé",
        "kind_addition": "ajout",
        "kind_deactivation": "désactivation",
        "kind_reactivation": "réactivation",
        "kind_email_change": "changement d'adresse",
        "kind_profile_change": "changement de fiche",
        "kind_group_change": "changement de groupe",
        "kind_merge": "fusion",
        "kind_adoption": "adoption",
        "kind_similar_ignored": "paire ignorée",
        "kind_erasure": "effacement",
    },
}
