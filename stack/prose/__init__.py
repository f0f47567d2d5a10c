"""`make prose`: whether everything a person reads uses the words of docs/vocabulary.yaml.

proselint (PyPI) does the checking. This package gives it our vocabulary as checks of its own, and the prose
of files that it cannot read: docstrings, comments and messages of Python, templates, suites, translations.

    extract      the prose of a file, and at which line each piece begins
    vocabulary   docs/vocabulary.yaml, as checks of proselint
    check        findings of files, from the two
"""
