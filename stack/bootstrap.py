"""Create the virtual environment that everything runs in. Needs only Python 3.

`bootstrap.py mitmproxy` also creates the one of mitmproxy, whose pinned versions conflict with ours; likewise
`pocketbase` and `pretix`, which are servers that clubsync is tried against, and `bench`, what its speed is compared
with. Only tests and benchmarks use them.

An old Python must be able to parse this module, so that it can report that it is too old.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST = (3, 11)
DISK_GB = 3


class Environment:
    """A virtual environment.

    :param folder: its path, relative to the project.
    :param lock: its lock file, relative to the project.
    :param ours: whether clubsync itself is installed in it.
    """

    def __init__(self, folder: str, lock: str, ours: bool) -> None:
        self.folder = os.path.join(ROOT, folder)
        self.lock = os.path.join(ROOT, lock)
        self.ours = ours
        self.stamp = os.path.join(self.folder, ".clubsync-installed")
        self.python = os.path.join(self.folder, "bin", "python")

    def locked(self) -> dict:  # type: ignore[type-arg]  # old Pythons have to parse it
        """Package name -> version."""
        with open(self.lock) as lock:
            return dict(re.findall(r"^([\w.-]+)==([^ \n]+)", lock.read(), re.MULTILINE))

    def pinned(self, package: str) -> str:
        """What the lock says of a package: its version, and the hashes of the files that may be installed."""
        with open(self.lock) as lock:
            lines = r"==[^\\\n]*(?:\\\n[^\\\n]*)*"  # each but the last ends in a backslash
            found = re.search("^" + re.escape(package) + lines, lock.read(), re.MULTILINE)
        if found is None:
            raise Problem("{} does not list {}.".format(self.lock, package))
        return found.group(0) + "\n"

    def wanted(self) -> str:
        """The content of the stamp file when everything is installed."""
        digest = hashlib.sha256(sys.version.encode())
        ours = [os.path.join(ROOT, "pyproject.toml")] if self.ours else []
        for name in [self.lock, *ours]:
            with open(name, "rb") as content:
                digest.update(content.read())
        return digest.hexdigest()

    def exists(self) -> bool:
        """Whether it is there, for the minor version of Python that runs this file."""
        try:
            with open(os.path.join(self.folder, "pyvenv.cfg")) as settings:
                found = re.search(r"^version = (\d+)\.(\d+)", settings.read(), re.MULTILINE)
        except OSError:
            return False
        same = found is not None and tuple(map(int, found.groups())) == sys.version_info[:2]
        return same and os.path.exists(self.python)

    def up_to_date(self) -> bool:
        if not self.exists() or not os.path.exists(self.stamp):
            return False
        with open(self.stamp) as stamp:
            return stamp.read() == self.wanted()


MAIN = Environment(".venv", "requirements.lock", ours=True)
#: Of programs that only tests and benchmarks use.
APART = {
    name: Environment(".venv-" + name, "requirements-{}.lock".format(name), ours=False)
    for name in ("mitmproxy", "pocketbase", "pretix", "bench")
}
UV = os.path.join(MAIN.folder, "bin", "uv")
PIP_INSTALL = ("-m", "pip", "install", "--quiet")


def main() -> int:
    try:
        check()
        install(MAIN)
        for name in sys.argv[1:]:
            install(APART[name])
    except Problem as problem:
        sys.stderr.write("{}\n".format(problem))
        return 1
    except subprocess.CalledProcessError as error:
        sys.stderr.write(
            "Installation failed: {} exited with {}. Its output is above.\n".format(
                " ".join(error.cmd[:4]), error.returncode
            )
        )
        return 1
    return 0


class Problem(Exception):
    """Something that a person has to fix first; the message says what."""


def check() -> None:
    if sys.version_info[:2] < OLDEST:
        raise Problem(
            "clubsync needs Python {}.{} or newer, but {} is {}.{}. Install a newer one and "
            "select it: make up PYTHON=python3.11".format(
                *OLDEST, sys.executable, *sys.version_info[:2]
            )
        )
    if not os.path.exists(MAIN.stamp):
        free = shutil.disk_usage(ROOT).free / 1e9
        if free < DISK_GB:
            raise Problem(
                "Not enough disk space: {:.1f} GB free in {}, {} GB needed.".format(
                    free, ROOT, DISK_GB
                )
            )


def install(environment: Environment) -> None:
    """Install the packages of its lock file, unless they are installed."""
    if environment.up_to_date():
        return
    # Some shells set this: then no bytecode is cached, and every start takes seconds longer.
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    # Company certificates are in the system store, which pip reads by default and uv only if told to.
    variables.setdefault("UV_SYSTEM_CERTS", "true")

    def run(*command: str) -> None:
        subprocess.run(command, cwd=ROOT, env=variables, check=True)

    python = environment.python
    say(
        "Python environment {}: installing {} packages".format(
            os.path.basename(environment.folder), len(environment.locked())
        )
    )
    if not environment.exists():
        make_venv(run, environment.folder)
    if not os.path.exists(UV):
        install_uv(run, environment)
    # "compat" puts the project folder on the path, which every tool understands.
    ours = ("--no-deps", "--config-settings", "editable_mode=compat", "--editable", ROOT)
    try:
        run(UV, "pip", "sync", "--quiet", "--require-hashes", "--python", python, environment.lock)
        if environment.ours:
            run(UV, "pip", "install", "--quiet", "--python", python, *ours)
    except subprocess.CalledProcessError:
        say("uv failed; retrying with pip, which reads its own settings and takes minutes")
        run(python, *PIP_INSTALL, "--require-hashes", "--requirement", environment.lock)
        if environment.ours:
            run(python, *PIP_INSTALL, *ours)
    with open(environment.stamp, "w") as stamp:
        stamp.write(environment.wanted())


def install_uv(run, environment: Environment) -> None:  # type: ignore[no-untyped-def]  # old Pythons have to parse it
    with tempfile.NamedTemporaryFile("w", suffix=".lock") as pinned:
        pinned.write(environment.pinned("uv"))
        pinned.flush()
        run(environment.python, *PIP_INSTALL, "--require-hashes", "--requirement", pinned.name)


def make_venv(run, folder: str) -> None:  # type: ignore[no-untyped-def]  # old Pythons have to parse it
    try:
        import ensurepip  # noqa: F401  # imported to see whether it exists
        import venv  # noqa: F401  # imported to see whether it exists
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
