"""Debian packages that are downloaded and unpacked, never installed."""
import pathlib
import subprocess

from . import paths


def dependencies(package: str):
    """The packages that it depends on, by the lists of packages, which are fetched where there are none."""
    for _ in _attempts():
        shown = subprocess.run(["apt-cache", "depends", package], capture_output=True, text=True).stdout.split()
        if shown:
            return shown
    raise RuntimeError(f"apt knows no package {package}")


def download(package: str) -> pathlib.Path:
    """The package's newest version, in the cache; whoever unpacked it deletes it."""
    folder = paths.CACHE / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"downloading {package}", flush=True)
    for _ in _attempts():
        # As the user who asks: apt's own user may have no access to this folder.
        done = subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package],
                              cwd=folder, capture_output=True, text=True)
        if done.returncode == 0:
            return next(folder.glob(f"{package}_*.deb"))
    raise RuntimeError(f"apt cannot download {package}: {done.stderr.strip()}")


def _attempts():
    """The second attempt is with new lists of packages: they may be missing, or name versions that are gone."""
    yield 1
    subprocess.run(["apt-get", "-qq", "update"], capture_output=True)
    yield 2
