"""Limits: small inputs must not cost much, and one of them must not stop the others."""

from tests.support.rules import club, files, new_club, new_file_club, shared_base

__all__ = ["club", "files", "new_club", "new_file_club", "shared_base"]
