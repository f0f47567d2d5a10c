"""`config/clubs.yaml`: the clubs, their ERPs, and how they are read.

One file, or a folder of them. It is parsed and validated once after each change; whoever loads it after that reads
what came of it (`compiled`). Cheap to import and to load, because every Dag file loads it at each parse.
"""

from clubsync.config.model import ClubConfig, Contact, Guard, Members, Promise, WebhookConfig
from clubsync.config.problems import sentence, wrong_setting
from clubsync.config.reading import config_path, is_list_of_clubs, load_club, load_config
from clubsync.config.registry import DEFAULT_PATH, Config, Summary
from clubsync.config.schema import json_schema
from clubsync.config.yaml_files import stamp

__all__ = [
    "DEFAULT_PATH",
    "ClubConfig",
    "Config",
    "Contact",
    "Guard",
    "Members",
    "Promise",
    "Summary",
    "WebhookConfig",
    "config_path",
    "is_list_of_clubs",
    "json_schema",
    "load_club",
    "load_config",
    "sentence",
    "stamp",
    "wrong_setting",
]
