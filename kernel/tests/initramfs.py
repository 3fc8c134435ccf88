# SPDX-License-Identifier: GPL-2.0
"""An initramfs: a cpio archive in the newc format, with programs and the libraries that they need."""
import pathlib
import re
import stat
import subprocess


class Archive:
    def __init__(self):
        self._parts, self._paths = [], set()

    def file(self, path, data, mode=0o644):
        self._parents(path)
        self._entry(path, stat.S_IFREG | mode, data)

    def device(self, path, major, minor):
        self._parents(path)
        self._entry(path, stat.S_IFCHR | 0o600, b"", major, minor)

    def program(self, path, target=None):
        """The file that PATH leads to, at PATH or TARGET, and its libraries where the linker looks for them."""
        self.file(target or path, pathlib.Path(path).resolve().read_bytes(), 0o755)
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            if library not in self._paths:
                self.file(library, pathlib.Path(library).resolve().read_bytes(), 0o755)

    def bytes(self):
        end = Archive()
        end._entry("TRAILER!!!", 0, b"")
        return b"".join(self._parts + end._parts)

    def _parents(self, path):
        for parent in reversed(pathlib.PurePosixPath(path).parents):
            if str(parent) != "/" and str(parent) not in self._paths:
                self._entry(str(parent), stat.S_IFDIR | 0o755, b"")

    def _entry(self, path, mode, data, major=0, minor=0):
        self._paths.add(path)
        name = path.strip("/").encode() + b"\0"
        fields = [len(self._paths) + len(self._parts), mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name), 0]
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        self._parts.append(header + b"\0" * (-len(header) % 4) + data + b"\0" * (-len(data) % 4))
