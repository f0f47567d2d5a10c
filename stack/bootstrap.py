"""Make the virtual environment that everything runs in. Needs nothing but a Python 3.

Written so that an old Python can read it far enough to say that it is too old.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
LOCK = os.path.join(ROOT, "requirements.lock")
STAMP = os.path.join(VENV, ".clubsync-installed")
OLDEST = (3, 11)
DISK_GB = 3


def main() -> int:
    try:
        check()
        install()
    except Problem as problem:
        sys.stderr.write("{}\n".format(problem))
        return 1
    except subprocess.CalledProcessError as error:
        sys.stderr.write(
            "Installing failed: {} ended with {}. What it says is above.\n".format(
                " ".join(error.cmd[:4]), error.returncode
            )
        )
        return 1
    return 0


class Problem(Exception):
    """Something that a person has to mend first, in a plain sentence."""


def check() -> None:
    if sys.version_info[:2] < OLDEST:
        raise Problem(
            "clubsync needs Python {}.{} or newer, and {} is {}.{}. Install a newer one and "
            "name it: make up PYTHON=python3.11".format(
                *OLDEST, sys.executable, *sys.version_info[:2]
            )
        )
    if not os.path.exists(STAMP):
        free = shutil.disk_usage(ROOT).free / 1e9
        if free < DISK_GB:
            raise Problem(
                "Only {:.1f} GB are free below {}; {} GB are needed.".format(free, ROOT, DISK_GB)
            )


def install() -> None:
    """Bring .venv to what requirements.lock says, unless it is."""
    wanted = fingerprint()
    if os.path.exists(STAMP):
        with open(STAMP) as stamp:
            if stamp.read() == wanted:
                return
    # Some shells set this; then nothing compiled is kept, and every start costs seconds more.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    # A company's own certificates are in the system's store, where pip looks and uv must be told to.
    environment.setdefault("UV_SYSTEM_CERTS", "true")

    def run(*command: str) -> None:
        subprocess.run(command, cwd=ROOT, env=environment, check=True)

    python = os.path.join(VENV, "bin", "python")
    uv = os.path.join(VENV, "bin", "uv")
    say("Python environment: installing {} packages".format(len(locked())))
    if not os.path.exists(python):
        make_venv(run)
    if not os.path.exists(uv):
        run(python, "-m", "pip", "install", "--quiet", "uv==" + locked()["uv"])
    # "compat": the project's folder on the path, plainly, which every tool understands.
    ours = ("--no-deps", "--config-settings", "editable_mode=compat", "--editable", ROOT)
    try:
        run(uv, "pip", "sync", "--quiet", "--python", python, LOCK)
        run(uv, "pip", "install", "--quiet", "--python", python, *ours)
    except subprocess.CalledProcessError:
        say("uv could not; once more by pip, which knows its own settings and takes minutes")
        run(python, "-m", "pip", "install", "--quiet", "--requirement", LOCK)
        run(python, "-m", "pip", "install", "--quiet", *ours)
    with open(STAMP, "w") as stamp:
        stamp.write(wanted)


def make_venv(run) -> None:  # type: ignore[no-untyped-def]  # read by old Pythons
    try:
        import ensurepip  # noqa: F401  # is it there?
        import venv  # noqa: F401  # is it there?
    except ImportError:
        raise Problem(
            "This Python lacks its venv module. On Debian and Ubuntu: apt-get install python3-venv"
        ) from None
    run(sys.executable, "-m", "venv", "--clear", VENV)


def locked() -> dict:  # type: ignore[type-arg]  # read by old Pythons
    """Package name -> version, of requirements.lock."""
    with open(LOCK) as lock:
        return dict(re.findall(r"^([\w.-]+)==([^ \n]+)", lock.read(), re.MULTILINE))


def fingerprint() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for name in ("requirements.lock", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as content:
            digest.update(content.read())
    return digest.hexdigest()


def say(text: str) -> None:
    sys.stdout.write("  " + text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
