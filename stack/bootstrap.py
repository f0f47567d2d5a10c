"""Make the virtual environment that everything runs in. Needs nothing but a Python 3.

`bootstrap.py mitmproxy` makes that of mitmproxy as well: it pins versions that do not fit beside ours, and
only tests run it.

Written so that an old Python can read it far enough to say that it is too old.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST = (3, 11)
DISK_GB = 3


class Environment:
    """A virtual environment.

    :param folder: where it is, below ours.
    :param lock: the file that says what is in it.
    :param ours: clubsync is in it too.
    """

    def __init__(self, folder: str, lock: str, ours: bool) -> None:
        self.folder = os.path.join(ROOT, folder)
        self.lock = os.path.join(ROOT, lock)
        self.ours = ours
        self.stamp = os.path.join(self.folder, ".clubsync-installed")
        self.python = os.path.join(self.folder, "bin", "python")

    def locked(self) -> dict:  # type: ignore[type-arg]  # read by old Pythons
        """Package name -> version."""
        with open(self.lock) as lock:
            return dict(re.findall(r"^([\w.-]+)==([^ \n]+)", lock.read(), re.MULTILINE))

    def wanted(self) -> str:
        """What the stamp says when all is installed."""
        digest = hashlib.sha256(sys.version.encode())
        ours = [os.path.join(ROOT, "pyproject.toml")] if self.ours else []
        for name in [self.lock, *ours]:
            with open(name, "rb") as content:
                digest.update(content.read())
        return digest.hexdigest()

    def is_as_wanted(self) -> bool:
        if not os.path.exists(self.stamp):
            return False
        with open(self.stamp) as stamp:
            return stamp.read() == self.wanted()


MAIN = Environment(".venv", "requirements.lock", ours=True)
MITMPROXY = Environment(".venv-mitmproxy", "requirements-mitmproxy.lock", ours=False)
UV = os.path.join(MAIN.folder, "bin", "uv")


def main() -> int:
    try:
        check()
        install(MAIN)
        if sys.argv[1:] == ["mitmproxy"]:
            install(MITMPROXY)
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
    if not os.path.exists(MAIN.stamp):
        free = shutil.disk_usage(ROOT).free / 1e9
        if free < DISK_GB:
            raise Problem(
                "Only {:.1f} GB are free below {}; {} GB are needed.".format(free, ROOT, DISK_GB)
            )


def install(environment: Environment) -> None:
    """Bring it to what its lock says, unless it is."""
    if environment.is_as_wanted():
        return
    # Some shells set this; then nothing compiled is kept, and every start costs seconds more.
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    # A company's own certificates are in the system's store, where pip looks and uv must be told to.
    variables.setdefault("UV_SYSTEM_CERTS", "true")

    def run(*command: str) -> None:
        subprocess.run(command, cwd=ROOT, env=variables, check=True)

    python = environment.python
    say(
        "Python environment {}: installing {} packages".format(
            os.path.basename(environment.folder), len(environment.locked())
        )
    )
    if not os.path.exists(python):
        make_venv(run, environment.folder)
    if not os.path.exists(UV):
        run(python, "-m", "pip", "install", "--quiet", "uv==" + environment.locked()["uv"])
    # "compat": the project's folder on the path, plainly, which every tool understands.
    ours = ("--no-deps", "--config-settings", "editable_mode=compat", "--editable", ROOT)
    try:
        run(UV, "pip", "sync", "--quiet", "--python", python, environment.lock)
        if environment.ours:
            run(UV, "pip", "install", "--quiet", "--python", python, *ours)
    except subprocess.CalledProcessError:
        say("uv could not; once more by pip, which knows its own settings and takes minutes")
        run(python, "-m", "pip", "install", "--quiet", "--requirement", environment.lock)
        if environment.ours:
            run(python, "-m", "pip", "install", "--quiet", *ours)
    with open(environment.stamp, "w") as stamp:
        stamp.write(environment.wanted())


def make_venv(run, folder: str) -> None:  # type: ignore[no-untyped-def]  # read by old Pythons
    try:
        import ensurepip  # noqa: F401  # is it there?
        import venv  # noqa: F401  # is it there?
    except ImportError:
        raise Problem(
            "This Python lacks its venv module. On Debian and Ubuntu: apt-get install python3-venv"
        ) from None
    run(sys.executable, "-m", "venv", "--clear", folder)


def say(text: str) -> None:
    sys.stdout.write("  " + text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
