"""Debian's programs for the initramfs: of this machine, as they are installed, or of another architecture, downloaded and unpacked."""
import pathlib
import re
import subprocess

from . import apt, arch, paths


class Userland:
    """Programs and the libraries that each needs."""

    def __init__(self, machine: arch.Arch):
        self._machine, self._own = machine, machine is arch.X86_64
        self._root = pathlib.Path("/") if self._own else paths.CACHE / f"root-{machine.debian}"

    def program(self, path: str) -> pathlib.Path:
        """The file of a program, by the path that it has in Debian."""
        if not self._own and not self._file(path).exists():
            self._unpack(_package(path))
        return self._file(path).resolve()

    def libraries(self, path: str, source: pathlib.Path = None):
        """(path in Debian, file) of each library of a program. Another architecture's are those of this machine's program: both are of one release."""
        listed = subprocess.run(["ldd", str(source or pathlib.Path(path).resolve())], capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            if self._own:
                yield library, pathlib.Path(library).resolve()
                continue
            there = "/lib/ld-linux-aarch64.so.1" if "/ld-linux" in library else library.replace(arch.X86_64.triplet, self._machine.triplet)
            if self._find(there) is None:
                self._unpack(_package(library))
            yield there, self._find(there)

    def _file(self, path):
        return self._root / path.lstrip("/")

    def _find(self, path):
        """Debian 12 has libraries in /lib and in /usr/lib, which are the same folder of an installed system."""
        for place in (path, "/usr" + path if not path.startswith("/usr/") else path.removeprefix("/usr")):
            if self._file(place).exists():
                return self._file(place).resolve()
        return None

    def _unpack(self, package):
        self._root.mkdir(parents=True, exist_ok=True)
        archive = apt.download(package, architecture=self._machine.debian)
        subprocess.run(["dpkg-deb", "-x", str(archive), str(self._root)], check=True)
        archive.unlink()


def _package(path):
    """The package that a file of this machine is of."""
    for place in (path, "/usr" + path, path.removeprefix("/usr"), str(pathlib.Path(path).resolve())):
        said = subprocess.run(["dpkg-query", "-S", place], capture_output=True, text=True).stdout.splitlines()
        said = [line for line in said if not line.startswith("diversion")]
        if said:
            return said[0].split(":")[0]
    raise RuntimeError(f"no installed package has {path}: run tests/vm/install")
