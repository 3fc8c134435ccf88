"""Debian packages that are downloaded and unpacked, never installed."""
import os
import pathlib
import re
import subprocess

from . import paths

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def dependencies(package: str):
    """The packages that it depends on, by the lists of packages, which are fetched where there are none."""
    for _ in _attempts(None):
        shown = subprocess.run(["apt-cache", "depends", package], capture_output=True, text=True).stdout.split()
        if shown:
            return shown
    raise RuntimeError(f"apt knows no package {package}")


def newest(pattern: str, suite: str) -> str:
    """The name of the newest package of a suite whose name matches all of a regular expression, by the numbers in it."""
    for _ in _attempts(suite):
        shown = subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True, env=_environment(suite)).stdout.split()
        found = [name for name in shown if re.fullmatch(pattern, name)]
        if found:
            return max(found, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])
    raise RuntimeError(f"{suite} has no package {pattern}")


def download(package: str, suite: str = None) -> pathlib.Path:
    """The package's newest version, in the cache; whoever unpacked it deletes it."""
    folder = paths.CACHE / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"downloading {package}", flush=True)
    for _ in _attempts(suite):
        # As the user who asks: apt's own user may have no access to this folder.
        done = subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package],
                              cwd=folder, capture_output=True, text=True, env=_environment(suite))
        if done.returncode == 0:
            return next(folder.glob(f"{package}_*.deb"))
    raise RuntimeError(f"apt cannot download {package}: {done.stderr.strip()}")


def _attempts(suite):
    """The second attempt is with new lists of packages: they may be missing, or name versions that are gone."""
    yield 1
    subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "update"], capture_output=True, env=_environment(suite))
    yield 2


def _environment(suite):
    """A suite that this machine's apt does not use has lists of its own, in the cache: the machine's stay as they are."""
    if suite is None:
        return None
    root = paths.CACHE / "apt" / suite
    config = root / "apt.conf"
    if not config.exists():
        for folder in ("lists/partial", "archives/partial", "etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "status").touch()
        (root / "etc" / "sources.list").write_text(f"deb [signed-by={KEYRING}] http://deb.debian.org/debian {suite} main\n")
        config.write_text(f'Dir::State "{root}"; Dir::State::status "{root}/status"; Dir::Cache "{root}"; Dir::Etc "{root}/etc"; Acquire::Languages "none";\n')
    return {**os.environ, "APT_CONFIG": str(config)}
