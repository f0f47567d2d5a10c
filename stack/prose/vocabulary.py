"""docs/vocabulary.yaml, as checks of proselint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import yaml
from proselint.registry.checks import Check, CheckFlags, Padding
from proselint.registry.checks.engine import Fancy, RegexOptions
from proselint.registry.checks.types import PreferredForms
from pydantic import AfterValidator, BaseModel, ConfigDict

PATH = Path(__file__).resolve().parents[2] / "docs" / "vocabulary.yaml"

PART = "\x00"
"""Between two passages of a file: no pattern spans it."""


def _compiles(pattern: str) -> str:
    re.compile(_word(pattern))
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]


class Word(BaseModel):
    """What not to write, and what to write instead.

    :param avoid: regular expressions over whole words; a blank stands for any white space.
    :param label: a passage that is nothing but this: the text of a button or the head of a column.
    :param code: like avoid, and searched for in code as well: a command that has another name by now.
    :param exact: capitals count.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    write: str
    avoid: tuple[Pattern, ...] = ()
    label: tuple[Pattern, ...] = ()
    code: tuple[Pattern, ...] = ()
    exact: bool = False


class NamesToAvoid(BaseModel):
    """Names that no module, class, function or constant has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    write: str
    whole: tuple[str, ...] = ()
    part: tuple[str, ...] = ()


class Accepted(BaseModel):
    """A finding that is right as it stands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: str
    files: tuple[str, ...]
    because: str


class Vocabulary(BaseModel):
    """docs/vocabulary.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: tuple[Word, ...]
    names: tuple[NamesToAvoid, ...] = ()
    spelling: tuple[str, ...] = ()
    proselint: tuple[str, ...] = ()
    accepted: tuple[Accepted, ...] = ()

    @classmethod
    def load(cls, path: Path = PATH) -> Vocabulary:
        """:raises pydantic.ValidationError: the file says what it may not."""
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

    def checks(self) -> list[Check]:
        """One check per word, for proselint's registry; found in quotations too."""
        words = [_check(number, word) for number, word in enumerate(self.words)]
        return [*words, *(_capitals(name) for name in self.spelling)]

    def code_avoided(self) -> dict[re.Pattern[str], str]:
        """A pattern to search a line for, and what to write instead."""
        return {re.compile(_word(p)): word.write for word in self.words for p in word.code}

    def names_avoided(self) -> dict[re.Pattern[str], str]:
        """A pattern over a whole name, and what to write instead."""
        found = {}
        for entry in self.names:
            words = [rf"_*{re.escape(name)}" for name in entry.whole]
            words += [rf"(?i:(.*_)?{re.escape(name)}(_.*)?)" for name in entry.part]
            found[re.compile("|".join(words))] = entry.write
        return found


def _check(number: int, word: Word) -> Check:
    patterns = [_word(p) for p in word.avoid]
    patterns += [rf"(?<={PART}){_spaced(p)}(?={PART})" for p in word.label]
    return Check(
        check_type=PreferredForms(dict.fromkeys(patterns, word.write), Padding.RAW),
        engine=Fancy(RegexOptions(case_insensitive=not word.exact)),
        path=f"vocabulary.{number}",
        message="write {}",
        flags=CheckFlags(allow_quotes=True),
    )


def _capitals(name: str) -> Check:
    """The name in other capitals, between words."""
    other = rf"(?<=[a-z,] )(?i:{name})(?<!{name})(?= [a-z])"
    return Check(
        check_type=PreferredForms({other: name}, Padding.RAW),
        engine=Fancy(RegexOptions(case_insensitive=False)),
        path=f"vocabulary.{name}",
        message="write {}",
        flags=CheckFlags(allow_quotes=True),
    )


def _word(pattern: str) -> str:
    """Whole words; proselint's Padding.WORDS_IN_TEXT finds them in hyphenated words and paths, too."""
    return rf"(?<![\w/-]){_spaced(pattern)}(?![\w/-])"


def _spaced(pattern: str) -> str:
    """A phrase may be broken into lines where it has a blank."""
    return re.sub(r" (?![*?+])", r"\\s+", f"(?:{pattern})")
