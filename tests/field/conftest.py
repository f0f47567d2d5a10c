"""Failures in the comparison show both sides."""

import pytest

pytest.register_assert_rewrite("tests.field.corpus")
