"""The rules of the sync, each as examples on the real engine."""

from tests.support.rules import club, files, new_club, new_file_club, shared_base

__all__ = ["club", "files", "new_club", "new_file_club", "shared_base"]
