"""Debian packages that are downloaded and unpacked, never installed."""
import os
import pathlib
import re
import subprocess

from . import paths

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def dependencies(package: str, architecture: str = "amd64"):
    """The packages that it depends on, by the lists of packages, which are fetched where there are none."""
    environment = _environment(None, architecture)
    for _ in _attempts(environment):
        shown = subprocess.run(["apt-cache", "depends", package], capture_output=True, text=True, env=environment).stdout.split()
        if shown:
            return shown
    raise RuntimeError(f"apt knows no package {package}")


def newest(pattern: str, suite: str) -> str:
    """The name of the newest package of a suite whose name matches all of a regular expression, by the numbers in it."""
    environment = _environment(suite)
    for _ in _attempts(environment):
        shown = subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True, env=environment).stdout.split()
        found = [name for name in shown if re.fullmatch(pattern, name)]
        if found:
            return max(found, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])
    raise RuntimeError(f"{suite} has no package {pattern}")


def download(package: str, suite: str = None, architecture: str = "amd64") -> pathlib.Path:
    """The package's newest version, in the cache; whoever unpacked it deletes it."""
    folder = paths.CACHE / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"downloading {package}", flush=True)
    environment = _environment(suite, architecture)
    for _ in _attempts(environment):
        # As the user who asks: apt's own user may have no access to this folder.
        done = subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package],
                              cwd=folder, capture_output=True, text=True, env=environment)
        if done.returncode == 0:
            return next(folder.glob(f"{package}_*.deb"))
    raise RuntimeError(f"apt cannot download {package}: {done.stderr.strip()}")


def _attempts(environment):
    """The second attempt is with new lists of packages: they may be missing, or name versions that are gone."""
    yield 1
    subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "update"], capture_output=True, env=environment)
    yield 2


def _mirror() -> str:
    """Where this machine has Debian from: the same mirror has the other suites."""
    shown = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian"], capture_output=True, text=True).stdout.split()
    for address in shown:
        if re.search(r"/debian/?$", address):
            return address
    raise RuntimeError("apt has no mirror of Debian")


def _environment(suite, architecture="amd64"):
    """A suite that this machine's apt does not use, or an architecture, has lists of its own, in the cache: the machine's stay as they are."""
    if suite is None and architecture == "amd64":
        return None
    root = paths.CACHE / "apt" / (suite or architecture)
    config = root / "apt.conf"
    if not config.exists():
        for folder in ("lists/partial", "archives/partial", "etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "status").touch()
        lines = [f'Dir::State "{root}"; Dir::State::status "{root}/status"; Dir::Cache "{root}"; Acquire::Languages "none";']
        if suite:
            (root / "etc" / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} {suite} main\n")
            lines.append(f'Dir::Etc "{root}/etc";')
        else:
            lines.append(f'APT::Architecture "{architecture}"; APT::Architectures "{architecture}";')
        config.write_text("\n".join(lines) + "\n")
    return {**os.environ, "APT_CONFIG": str(config)}
