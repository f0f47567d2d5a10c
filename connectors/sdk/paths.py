"""Where a response has a value: dotted paths, and JMESPath if dots are not enough.

`contact.email`, `emails.0.value` and `First name` are followed here, key by key, and distinguish a missing key
(`MISSING`) from an empty one. A key that has a dot or another sign in it stands in double quotes, `contact."e.mail"`,
or the path is written as a list of keys: `[contact, e.mail]`. Anything else is JMESPath (https://jmespath.org):
`emails[?primary].value | [0]`, `@` for the value itself; there a missing value is null.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from connectors.sdk.cells import NOT_TEXT
from connectors.sdk.errors import ContractChanged
from connectors.sdk.messages import message


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


#: There is no such key.
MISSING: Final = _Missing()

Getter = Callable[[Any], Any]

_BARE = r"[\w$:@-]+(?: [\w$:@-]+)*"
_QUOTED = r'"(?:[^"\\]|\\.)+"'
_PLAIN = re.compile(rf"(?:{_BARE}|{_QUOTED})(?:\.(?:{_BARE}|{_QUOTED}))*")
_KEY = re.compile(rf"{_BARE}|{_QUOTED}")
#: What a field's name looks like, as opposed to a key that is itself data (an id, an email, a full name).
_NAME = re.compile(r"[@$_A-Za-z][A-Za-z0-9_$:-]{0,60}")
#: The same with dots and blanks in it: a field's name only if it is made of usual words.
_SPACED = re.compile(r"[@$_A-Za-z][A-Za-z0-9_$:. -]{0,60}")
_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+")
_SAMPLE = 200
_WORDS = """
bank bic iban
access account accounts active activities activity additional address addresses admin after age all amount and any
archived area array at attributes auto before begin benefit benefits billing birth birthdate birthday blocked body
booking bookings business by cancel canceled cancelled card cards category child children city civil client clients
club code codes comment companies company contact contacts content context contract contracts count country county
created creation currency current cursor custom customer customers data date day default deleted description detail
details display edges email emails embedded enabled end ends entities entries entry error errors expired expires
extra family fields file first firstname for from frozen fullname gender given graph group groupid groups
guardian guest guests has head home hour house href hydra id identifier ids in inactive included info iri is iso
items key keys kind label lang language last lastname lastpage lesson level limit line link links list lists locale
location locations mail main member members membership memberships message meta metadata method middle mobile model
modified month more name names new next nickname no node nodes note notes num number object objects of offset ok old
on one option options or order organization other owner pages pagination paging paid parent parents paused payment
payments pending people per period person personal phone phones plan plans player players postcode preferred prefix
price primary private product products profile province public qr query reason record records ref reference refs
region relationships renewal response responses result results right rights role roles rows salutation self service
services setting settings sex since site size skip source start starts state status street string sub subs
subscription subscriptions success surname tag tags take tax tel telephone text time timestamp timezone title to
token total trial two type until updated uri url user username users uuid valid value values version view visit
visits was week with without work year zip zipcode zone
abonnement abonnements adresse anrede beitrag bis code courriel date debut email fin geburtsdatum geburtstag gruppe
gruppen gueltig id kunde kunden kundennr kundennummer land mitglied mitglieder mitgliedsnummer mobil name nachname nr
numero nummer ort plz stand strasse tarif telefon typ vertrag von vorname vorwahl
adherent adherents civilite client commentaire cp groupe groupes inscription mobile naissance nom pays portable prenom
statut ville
activo alta apellido apellidos baja cliente clientes codigo correo estado fecha grupo grupos movil nacimiento nombre
pais socio socios telefono
cognome data indirizzo nascita nome stato cellulare achternaam klant klanten naam telefoon voornaam
"""
#: Usual words of APIs, of which the names of fields are made: an ERP that keys its objects by a person's name or email
#: has others.
_USUAL = frozenset(_WORDS.split())
#: How a person calls the types of single values.
_KINDS: dict[type, str] = {
    str: message("a text"),
    int: message("a number"),
    float: message("a number"),
    bool: message("true or false"),
}
#: Beyond it, a float does not say which whole number it was.
_EXACT = 2**53
_MAX_DEPTH = 4


@lru_cache(maxsize=1024)
def getter(path: str) -> Getter:
    """The function that returns the value at that path of a response.

    :raises ValueError: it is not a valid path.
    """
    if path in ("", "@"):
        return lambda value: value
    if keys := keys_of(path):
        return _walker(keys)
    try:
        compiled = jmespath.compile(path)
    except JMESPathError as error:
        raise ValueError(
            message(f"{path!r} is not a valid path: {str(error).splitlines()[0]}")
        ) from None

    def search(value: Any) -> Any:
        try:
            return compiled.search(value)
        except JMESPathError:
            # a function with an argument of the wrong type
            raise ContractChanged(
                "A path in the settings does not match the ERP's response.",
                remedy=f"Correct the path {path}.",
            ) from None

    return search


def keys_of(path: str) -> list[str] | None:
    """The keys of a path that is followed key by key; None: it is JMESPath."""
    if not _PLAIN.fullmatch(path):
        return None
    try:
        return [json.loads(key) if key[0] == '"' else key for key in _KEY.findall(path)]
    except ValueError:
        return None


def path_of(keys: Sequence[str | int]) -> str:
    """A path that is written as a list of keys, in its one form."""
    texts = [str(key) for key in keys]
    return ".".join(
        key if re.fullmatch(_BARE, key) else json.dumps(key, ensure_ascii=False) for key in texts
    )


def _walker(keys: Sequence[str]) -> Getter:
    def walk(value: Any) -> Any:
        for key in keys:
            if isinstance(value, dict):
                value = value.get(key, MISSING)
            elif isinstance(value, list) and key.isdecimal():
                value = value[int(key)] if int(key) < len(value) else MISSING
            else:
                return value if value is None else MISSING
            if value is MISSING:
                return MISSING
        return value

    return walk


def _is_path(value: str) -> str:
    getter(value.strip())
    return value.strip()


def _from_list(value: Any) -> Any:
    is_list = isinstance(value, list | tuple) and value
    if is_list and all(type(key) in (str, int) and str(key) for key in value):
        return path_of(value)
    return value


#: A path, checked when the settings are read: a text, or a list of keys.
Path = Annotated[
    str,
    BeforeValidator(_from_list),
    AfterValidator(_is_path),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1},
            ],
            "format": "path",
        }
    ),
]


def text(value: Any, setting: str) -> str | None:
    """A value as text: booleans as `true` and `false`, whole numbers without a decimal point, null as None.

    :param setting: whose path leads here, for the message.
    :raises ContractChanged: a list or an object.
    """
    if value is None or value is MISSING:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    raise ContractChanged(
        f"The value at settings: {setting} is {described(value)}, not a text.",
        remedy="Name a value inside it, such as contact.email, or emails[0].value of a list.",
    )


def cell(value: Any) -> str | None:
    """A value of one record as text, whatever it is: one odd record stops no club.

    :returns: as `text`; `cells.NOT_TEXT`, which cannot be read, for a list or an object.
    """
    if value is None or isinstance(value, str):
        return value
    return NOT_TEXT if isinstance(value, dict | list) else text(value, "")


def identifier(value: Any) -> str | None:
    """An id of one record as text; `cells.NOT_TEXT` for what is none: a boolean, a fraction, a list, an object, and a
    number that JSON writers round."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | dict | list):
        return NOT_TEXT
    if isinstance(value, float) and not (value.is_integer() and abs(value) <= _EXACT):
        return NOT_TEXT
    return text(value, "")


def described(value: Any) -> str:
    """A value by its type and the usual words among its keys: for messages, without its content (R19)."""
    if isinstance(value, list):
        inside = names(value[0]) if value else []
        if inside:
            return message(f"a list of {len(value)} objects with {', '.join(inside)}")
        return message(f"a list of {len(value)}")
    if isinstance(value, dict):
        found = names(value)
        return message(f"an object with {', '.join(found)}") if found else message("an object")
    if value is None or value is MISSING:
        return message("no value") if value is MISSING else "null"
    return _KINDS.get(type(value), type(value).__name__)


def names(value: Any, most: int = 20) -> list[str]:
    """The keys of an object that are usual words of APIs, and "…" for all others, which may be a person's (R19)."""
    if not isinstance(value, dict):
        return []
    found = [key for key in value if _is_usual(key)]
    return found[:most] + (["…"] if len(found) > most or len(found) < len(value) else [])


def _is_usual(key: str) -> bool:
    words = _WORD.findall(key)
    return _SPACED.fullmatch(key) is not None and {word.casefold() for word in words} <= _USUAL


def columns(records: Sequence[Any]) -> list[str]:
    """The dotted paths of the fields of the first records, in the ERP's own order; `[]` marks a list.

    A key that only one record has, and that is no usual word, may be a person's name (R19): it is left out.
    """
    found: Counter[str] = Counter()
    for record in records[:_SAMPLE]:
        found.update(set(_paths(record, "", 0)))
    order = dict.fromkeys(path for record in records[:_SAMPLE] for path in _paths(record, "", 0))
    kept = [path for path in order if found[path] > 1 or _of_usual(path)]
    return kept[:_SAMPLE]


def _of_usual(path: str) -> bool:
    return all(_is_usual(key) for key in keys_of(path.replace("[]", "")) or [path])


def _paths(value: Any, above: str, depth: int) -> Iterator[str]:
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        for key, inner in value.items():
            if _NAME.fullmatch(key) or _is_usual(key):
                name = path_of([key])
                yield from _paths(inner, f"{above}.{name}" if above else name, depth + 1)
    elif isinstance(value, list) and value and isinstance(value[0], dict) and depth < _MAX_DEPTH:
        for item in value[:5]:
            yield from _paths(item, f"{above}[]", depth + 1)
    elif above:
        yield above
