"""Words in one form (R3): how settings, cells, status words and group names are compared, and what common ones mean.

NFKC, without format characters (Unicode's category Cf: soft hyphens, zero-width blanks, marks of direction),
case-folded, and white space, no-break blanks included, as one blank. `word` is for one text, `key` for a column.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

import polars as pl

#: Words for "yes" and "is in use" in the languages of our clubs' ERPs.
TRUE_WORDS = (
    *("1", "true", "t", "yes", "y", "x", "on", "active", "enabled"),
    *("vrai", "oui", "o", "actif", "active", "actifs"),
    *("si", "sí", "s", "verdadero", "activo", "activa"),
    *("wahr", "ja", "j", "aktiv"),
    *("sì", "vero", "attivo", "attiva", "sim", "verdadeiro", "ativo", "ativa", "actief"),
)
FALSE_WORDS = (
    *("0", "false", "f", "no", "n", "off", "inactive", "disabled"),
    *("faux", "non", "inactif", "inactive"),
    *("falso", "inactivo", "inactiva"),
    *("falsch", "nein", "inaktiv"),
    *("inattivo", "inattiva", "não", "inativo", "inativa", "nee", "inactief"),
)
#: Words of a status for "is a customer".
ACTIVE_WORDS = (
    *("active", "actif", "actif(ve)", "actif/ve", "actif·ve", "activé", "activée", "actifs"),
    *("1", "true", "vrai", "yes", "oui", "y", "o"),
    *("current", "member", "membre", "client", "adhérent", "adhérente"),
    *("en cours", "valid", "valide"),
    *("activo", "activa", "alta", "si", "sí"),
    *("aktiv", "ja", "mitglied", "wahr"),
    *("attivo", "attiva", "sì", "ativo", "ativa", "sim", "actief"),
)
#: Words of a status that say nothing but "is no customer any more".
INACTIVE_WORDS = (
    *("inactive", "not active", "non-active", "former", "former member", "former customer"),
    *("former client", "ex-member", "archived", "expired", "lapsed", "cancelled", "canceled"),
    *("terminated", "ended", "closed", "deleted", "disabled", "deactivated", "unsubscribed"),
    *(
        "prospect",
        "lead",
        "left",
        "resigned",
        "withdrawn",
        "quit",
        "gone",
        "past member",
        "ex member",
        "stopped",
        "off",
    ),
    *("inactif", "inactifs", "inactif(ve)", "inactif/ve", "inactif·ve", "non actif", "non active"),
    *("désactivé", "désactivée", "ancien", "ancienne", "ancien membre", "ancienne membre"),
    *("ancien adhérent", "ancienne adhérente", "ancien client", "ancienne cliente"),
    *("archivé", "archivée", "résilié", "résiliée", "expiré", "expirée", "annulé", "annulée"),
    *("ex-membre", "ex-adhérent", "ex-adhérente", "ex-client", "ex-cliente", "parti", "partie"),
    *("arrêté", "arrêtée", "désabonné", "désabonnée", "désinscrit", "désinscrite"),
    *(
        "démissionnaire",
        "terminé",
        "terminée",
        "clôturé",
        "clôturée",
        "radié",
        "radiée",
        "supprimé",
        "supprimée",
    ),
    *("0", "false", "faux", "no", "non", "n"),
    *("inactivo", "inactiva", "no activo", "no activa", "baja", "de baja", "dado de baja"),
    *("dada de baja", "antiguo", "antigua", "exsocio", "exsocia", "archivado", "archivada"),
    *("caducado", "caducada", "vencido", "vencida", "cancelado", "cancelada", "expirado"),
    *("expirada", "finalizado", "finalizada", "eliminado", "eliminada"),
    *("inaktiv", "nicht aktiv", "ehemalig", "ehemaliges mitglied", "archiviert", "abgelaufen"),
    *("gekündigt", "beendet", "storniert", "ausgetreten", "deaktiviert", "gelöscht"),
    *("nein", "falsch"),
    *("inattivo", "inattiva", "non attivo", "non attiva", "ex socio", "ex socia", "archiviato"),
    *("archiviata", "scaduto", "scaduta", "cessato", "cessata", "annullato", "annullata"),
    *("disdetto", "disdetta", "cancellato", "cancellata", "eliminato", "eliminata"),
    *("inativo", "inativa", "não ativo", "não ativa", "ex-sócio", "ex-sócia", "arquivado"),
    *("arquivada", "encerrado", "encerrada", "desativado", "desativada", "não"),
    *("inactief", "niet actief", "gearchiveerd", "verlopen", "opgezegd", "beëindigd"),
    *("geannuleerd", "uitgeschreven", "verwijderd", "oud-lid", "nee"),
)
#: Words of a group's own list for "is not in use any more".
UNUSED_WORDS = (*dict.fromkeys((*FALSE_WORDS, *INACTIVE_WORDS, "fermé", "fermée", "geschlossen")),)


#: Characters up to which a word is remembered in its form: there are few longer ones.
_REMEMBERED = 500


def word(text: str) -> str:
    """A text in the form in which words are compared."""
    return _word(text) if len(text) <= _REMEMBERED else _in_form(text)


def _in_form(text: str) -> str:
    if text.isascii():
        folded = text.casefold()
    else:
        folded = visible(unicodedata.normalize("NFKC", text)).casefold()
        folded = unicodedata.normalize("NFKC", folded)
    return " ".join(folded.replace("\0", "").split())


_word = lru_cache(maxsize=65_536)(_in_form)


def visible(text: str) -> str:
    """A text without format characters, which nobody sees and nobody typed."""
    if text.isascii():
        return text
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def words(values: Iterable[str]) -> list[str]:
    """Words in that form, each once, sorted; blank ones are left out."""
    return sorted({word(value) for value in values} - {""})


def key(column: pl.Expr) -> pl.Expr:
    """A column of text in that form; blank text becomes null."""
    return column.map_batches(keys, return_dtype=pl.String)


def keys(values: pl.Series) -> pl.Series:
    """`key` of a series; each distinct text is looked at once."""
    values = values.cast(pl.String)
    distinct = values.drop_nulls().unique()
    if distinct.is_empty():
        return values
    forms = pl.Series([word(text) or None for text in distinct], dtype=pl.String)
    return values.replace_strict(distinct, forms, return_dtype=pl.String)


def spellings(values: pl.Series) -> pl.Series:
    """Names, each in the spelling that is the most frequent among those that are one word; blank ones become null.

    Of equally frequent ones it is the first by alphabet, so that the order of rows does not matter. No spelling has
    format characters, or white space other than single blanks.
    """
    counted = dict(values.cast(pl.String).drop_nulls().value_counts().iter_rows())
    chosen = one_spelling(counted)
    if not chosen:
        return values.cast(pl.String)
    return values.cast(pl.String).replace_strict(
        list(chosen), pl.Series(list(chosen.values()), dtype=pl.String), return_dtype=pl.String
    )


def one_spelling(counted: Mapping[str, int]) -> dict[str, str | None]:
    """`spellings` of names that were counted already: name -> the spelling that is chosen, None for blank ones."""
    tidied = {name: tidy(name) for name in counted}
    frequency = Counter[str]()
    for name, times in counted.items():
        frequency[tidied[name]] += times
    best: dict[str, str] = {}
    for name in sorted(frequency, key=lambda name: (-frequency[name], name)):
        best.setdefault(word(name), name)
    return {name: best[word(name)] or None for name in counted}


def tidy(name: str) -> str:
    """A name as it is kept and searched for: in composed letters, without what nobody sees, single blanks."""
    return " ".join(visible(unicodedata.normalize("NFC", name)).split())


def truth(
    column: pl.Expr, true: Iterable[str] = TRUE_WORDS, false: Iterable[str] = FALSE_WORDS
) -> pl.Expr:
    """One of the `true` words is true, one of the `false` words is false; blank, and any other word, is null."""
    said = key(column)
    return pl.when(said.is_in(words(true))).then(True).when(said.is_in(words(false))).then(False)


def truth_of(
    text: str | None, true: Iterable[str] = TRUE_WORDS, false: Iterable[str] = FALSE_WORDS
) -> bool | None:
    """`truth` of one text."""
    said = word(text or "")
    if not said:
        return None
    if said in words(true):
        return True
    return False if said in words(false) else None


def words_of(values: object) -> object:
    """A word or a list of words from YAML; booleans and numbers become the words they were written as."""
    if values is None:
        return ()
    if isinstance(values, str | int | float):
        values = [values]
    if not isinstance(values, list | tuple):
        return values
    out: list[str] = []
    for value in values:
        if value is True:
            out += ["true", "yes", "on"]
        elif value is False:
            out += ["false", "no", "off"]
        else:
            out.append(str(value))
    return tuple(out)


def meanings(lists: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Meaning -> its words, as word -> meaning; of a word in several lists the last one counts."""
    return {form: meaning for meaning, values in lists.items() for form in words(values)}


def in_two(lists: Mapping[str, Iterable[str]]) -> list[str]:
    """The words that are in more than one list, sorted."""
    counted = Counter(form for values in lists.values() for form in words(values))
    return sorted(form for form, times in counted.items() if times > 1)


def split_names(cell: str, separators: Collection[str], whole: Iterable[str]) -> list[str]:
    """The names in one cell, each once.

    :param separators: each of them separates two names.
    :param whole: names in the form of `word` that are one name although they contain a separator.
    """
    pieces = re.split("(" + "|".join(map(re.escape, separators)) + ")", cell)
    compound = {name for name in whole if any(s in name for s in separators)}
    # pieces, separators among them, that the longest of these names may have
    most = 1 + 2 * max((sum(map(name.count, separators)) for name in compound), default=0)
    out: list[str] = []
    at = 0
    while at < len(pieces):
        last = min(len(pieces), at + most)
        ends = range(last, at + 1, -2) if compound else ()
        end = next((e for e in ends if word("".join(pieces[at:e])) in compound), at + 1)
        out.append("".join(pieces[at:end]).strip())
        at = end + 1
    return list(dict.fromkeys(name for name in out if name))


def same(one: Any, other: Any) -> bool:
    """Whether two texts are the same word; None is no word."""
    return isinstance(one, str) and isinstance(other, str) and word(one) == word(other)
