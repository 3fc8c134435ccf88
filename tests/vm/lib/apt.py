"""Debian packages that are downloaded and unpacked, never installed."""
import pathlib
import subprocess

from . import paths


def download(package: str) -> pathlib.Path:
    """The package's newest version, in the cache; whoever unpacked it deletes it."""
    folder = paths.CACHE / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"downloading {package}", flush=True)
    # As the user who asks: apt's own user may have no access to this folder.
    subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package], check=True, cwd=folder)
    return next(folder.glob(f"{package}_*.deb"))
