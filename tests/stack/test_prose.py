"""`make prose`: the words of docs/vocabulary.yaml are found wherever a person reads, and nowhere else."""

from __future__ import annotations

import textwrap
from pathlib import Path

import proselint.checks
import pytest

from stack.prose import check, extract
from stack.prose.check import Finding, Linter
from stack.prose.extract import BLANK, Name
from stack.prose.vocabulary import Accepted, NamesToAvoid, Vocabulary, Word

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ours() -> Vocabulary:
    return Vocabulary.load()


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def findings(vocabulary: Vocabulary, path: Path) -> list[tuple[int, str]]:
    """Line and words of each finding in a file."""
    return [(it.line, it.found) for it in Linter(vocabulary, path.parent).findings([path])]


def read(path: Path) -> list[tuple[int, str]]:
    return [(it.line, it.text.strip()) for it in extract.passages(path)]


# what is prose ------------------------------------------------------------------------------------


def test_of_python_docstrings_messages_and_comments(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "module.py",
        '''\
        """First.

        Second.
        """

        # one comment
        # in two lines
        X = f"hello {name!r}, you"  # another

        def f(mended: int) -> str:
            return "long " "one"
        ''',
    )
    assert read(path) == [
        (1, "First."),
        (3, "Second."),
        (6, "one comment\nin two lines"),
        (8, f"hello {BLANK}, you"),
        (8, "another"),
        (11, "long one"),
    ]


def test_of_markdown_all_but_code_and_addresses(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "page.md",
        """\
        # Head

        Text with `code` and [a link](anew.md).

        ```
        not prose
        ```
        After.
        """,
    )
    assert read(path) == [
        (1, "# Head"),
        (3, f"Text with {BLANK} and [a link]{BLANK}."),
        (7, "After."),
    ]


def test_of_a_template_text_attributes_and_what_it_passes_on(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "page.html",
        """\
        {# for us #}
        <p class="sub" title="Tip">{{ _("Run it") }} now</p>
        {% if x == 'it\\'s' %}
        <code>anew</code><script>let anew = 1</script>
        {% endif %}
        """,
    )
    assert read(path) == [
        (2, "Run it"),
        (2, "Tip"),
        (2, f"{BLANK} now"),
        (3, "it's"),
    ]


def test_of_a_suite_the_values(tmp_path: Path) -> None:
    path = written(tmp_path, "suite.json", '{\n "mend": {\n  "en": "Do \\"it\\".", "n": 1}}')
    assert read(path) == [(3, 'Do "it".')]


def test_of_translations_both_languages_and_all_forms(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "fr.po",
        """\
        msgid ""
        msgstr "Content-Type: text/plain; charset=utf-8\\n"

        msgid "one"
        msgid_plural "many"
        msgstr[0] "un"
        msgstr[1] "plusieurs"
        """,
    )
    assert read(path)[-4:] == [(4, "one"), (4, "many"), (4, "un"), (4, "plusieurs")]


@pytest.mark.parametrize(
    ("name", "text"),
    [("q.sql", "select 1 -- why"), ("Makefile", "x: y ## why"), ("c.yaml", "a: '#1'  # why")],
)
def test_of_other_languages_the_comments(tmp_path: Path, name: str, text: str) -> None:
    assert read(written(tmp_path, name, text)) == [(1, "why")]


def test_a_template_of_python_is_read_as_python(tmp_path: Path) -> None:
    path = written(tmp_path, "{{ name }}.py.jinja", 'X = "{{ title }} says"\n')
    assert read(path) == [(1, "name says")]


def test_names_are_those_a_file_defines(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "life.py",
        """\
        REST: int = 1
        local = 2
        class OtherClub:
            async def meant(self, near):
                heirs = near
        """,
    )
    found = sorted(extract.names(path), key=lambda it: it.line)
    assert found == [Name(1, "life"), Name(1, "REST"), Name(3, "OtherClub"), Name(4, "meant")]


# what is found ------------------------------------------------------------------------------------


def test_whole_words_across_lines_whatever_their_capitals(tmp_path: Path) -> None:
    vocabulary = Vocabulary(words=(Word(write="again", avoid=("once more",)),))
    path = written(tmp_path, "a.md", "Text.\n\nOnce\nmore, or once morethan, at-once more.\n")
    assert findings(vocabulary, path) == [(3, "Once more")]


def test_a_label_is_all_there_is(tmp_path: Path) -> None:
    vocabulary = Vocabulary(words=(Word(write="Search", label=("Ask",), exact=True),))
    path = written(tmp_path, "a.html", "<b>Ask</b><b>Ask him</b><b>ask</b>")
    assert findings(vocabulary, path) == [(1, "Ask")]


def test_commands_are_found_in_code(tmp_path: Path) -> None:
    vocabulary = Vocabulary(words=(Word(write="new", code=("tool old",)),))
    path = written(tmp_path, "a.md", "Run\n`tool old`, not `tool older`.\n")
    assert findings(vocabulary, path) == [(2, "tool old")]


def test_a_name_has_its_capitals_between_words(tmp_path: Path) -> None:
    vocabulary = Vocabulary(words=(), spelling=("GitHub",))
    path = written(tmp_path, "a.md", "We use GitHub at github.com, github: or\na github one.\n")
    assert findings(vocabulary, path) == [(2, "github")]


def test_names_of_code_whole_or_by_part(tmp_path: Path) -> None:
    vocabulary = Vocabulary(
        words=(), names=(NamesToAvoid(write="other", whole=("meant",), part=("judge",)),)
    )
    path = written(
        tmp_path,
        "a.py",
        """\
        def meant(): ...
        def unmeant(): ...
        def _judge_all(): ...
        JUDGE_ALL = judges = 1
        """,
    )
    assert findings(vocabulary, path) == [(1, "meant"), (3, "_judge_all"), (4, "JUDGE_ALL")]


def test_checks_of_proselint_that_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.md", "It is a very new innovation.\n")
    assert findings(Vocabulary(words=()), path) == []
    vocabulary = Vocabulary(words=(), proselint=("redundancy", "weasel_words.very"))
    assert (1, "very") in findings(vocabulary, path)


def test_what_is_accepted_is_accepted_where_it_is_said_and_reported_where_unused(
    tmp_path: Path,
) -> None:
    word = Word(write="again", avoid=("anew",))
    accepted = Accepted(words="anew", files=("a.*",), because="a name")
    vocabulary = Vocabulary(words=(word,), accepted=(accepted,))
    first, second = written(tmp_path, "a.md", "Anew."), written(tmp_path, "b.md", "Anew.")
    linter = Linter(vocabulary, tmp_path)
    assert linter.findings([first, second]) == [Finding("b.md", 1, "Anew", "write again")]
    assert (linter.unused([first]), linter.unused([second])) == ([], ["anew"])


# the vocabulary itself ----------------------------------------------------------------------------

DIALECT = """\
They go in the data base anew.
To mend in the ERP
failing since just now
read every 1 minute
In 100% of the hours that were read there was a complete reading
To the content
Who is meant?
Who may be meant
Not known here
among many people it means too many
What people did here
on its way: this line tells when it is done
noted: the next reading answers it
The first sync waits for a go
Deactivations that wait for a person
69 pass by themselves within a day
Why; kept with the decision
whom the newest reading still calls for
Who changed since is left alone.
when a person says redo
that is for ever
It is for good
Its data go on 3 May
Nobody waits
No club is like that
Personal data are shown.
That you looked is in the audit.
same email but for what follows the @
This email stands on more than one customer
only one of them is loaded
The ERP's record last changed, as we saw it, on 3 May
The ERP has not had the record since
A person has to decide whether they stay: hold 1
the ERP, which lives by phone numbers
is no whole Excel workbook
customers.csv is cut
None of the columns of the settings is among its 13
refused our log-in (401)
did not understand our question (400)
There is no file clients in the folder
Nothing needs doing unless it lasts
Taken for another club's data
it has failed for so long that
is read again, after 18 min
Those to read now, whatever their pace. None chosen: all
The clubs of clubs.yaml, and how they are.
Bring the schemas up to date; harmless when they are.
says that it has had too many requests
The ERP states a date that is none.
Mend it in the ERP; the next sync brings them back.
Boulder knows nobody by that.
Goes on with the reading of 10:05 UTC, after its first 12 answers.
A fault in clubsync itself (KeyError) stopped the extract of X.
It could not be found out which clubs were due
refused whole
Drop at the door the records of people who asked to be forgotten.
whatever is not the server's own work is done beside it
Who may what
The one way in which API connectors speak HTTP: bounded and discreet.
So many records.
Run `clubsync clubs trust padel` then.
Essai à blanc
depuis il y a 19 minutes
lu toutes les 1 minute
The reading broke off.
"""

PLAIN = """\
Apply pending database migrations (no-op if none).
To fix in the ERP
Skip to main content
Which person?
Possible matches
Queued; this line updates when it finishes
Noted; the next sync will include it
Deactivations awaiting approval
Automatic limit: 69 per 24 hours
Reason (stored with the decision)
who are still not eligible in the latest sync
Skipped (changed since)
when someone runs redo
this cannot be undone
Its data will be deleted on 3 May
No clubs match these filters
Personal data visible; this view was logged
Several ERP customers share this email
Removal awaits approval (hold 1)
customers.csv is truncated
rejected our credentials (401)
No file matching clients in the folder
No action needed unless it persists
Retries are paused until noon.
Did you mean `every`?
Clubs to sync now; leave empty for all
No customer or ERP record of Boulder matches that email or id.
Resuming the read started at 10:05 UTC (12 responses already fetched).
Internal error (KeyError) while extracting X.
Could not determine which clubs are due
accepted or rejected as a whole
Filter out erased people before anything is stored.
HTTP client for API connectors: time and size limits, short retries, no secrets in logs.
Recommend, amend and commend; the judge's name is nearby.
The club's life goes by, forevermore unmended.
depuis 19 minutes, lu chaque minute
"""


@pytest.mark.parametrize("sentence", DIALECT.splitlines())
def test_the_dialect_is_found(ours: Vocabulary, tmp_path: Path, sentence: str) -> None:
    assert findings(ours, written(tmp_path, "a.md", sentence)) != []


def test_plain_english_is_not(ours: Vocabulary, tmp_path: Path) -> None:
    text = PLAIN.replace("; the judge's name is nearby", "").replace("\n", "\n\n")
    assert findings(ours, written(tmp_path, "a.md", text)) == []


@pytest.mark.parametrize("label", ["Ask", "Go", "Begun", "Read", "Leave it", "Do not ask", "Sorte"])
def test_buttons_and_headings_of_the_dialect_are_found(
    ours: Vocabulary, tmp_path: Path, label: str
) -> None:
    assert findings(ours, written(tmp_path, "a.html", f"<b>{label}</b>")) == [(1, label)]


def test_every_accepted_word_is_still_there(ours: Vocabulary) -> None:
    assert Linter(ours, ROOT).unused(check.files(ROOT)) == []


def test_every_check_of_proselint_that_is_on_exists(ours: Vocabulary) -> None:
    known = {check.path.split(".")[0] for check in proselint.checks.__register__}
    assert set(ours.proselint) <= known


def test_every_place_where_people_read_is_checked() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in check.files(ROOT)}
    assert {"README.md", "Makefile", "docs/operating.md", "config/clubs.yaml", ".ci/run"} <= files
    for folder, patterns in check.FOLDERS.items():
        for pattern in patterns:
            assert list((ROOT / folder).rglob(pattern)), (folder, pattern)
