"""The two initramfs, built from Debian's binaries and the kernel's modules; each is built once and kept in the cache."""
import gzip
import hashlib
import os
import pathlib
import stat
import subprocess

from . import apt, arch, kernels, paths, userland

# In the first kernel: what makes namespaces and file systems, and Debian's kexec for comparison.
FIRST_PROGRAMS = ["/usr/bin/ndctl", "/usr/bin/daxctl", "/sbin/mkfs.xfs", "/sbin/mke2fs", "/sbin/kexec"]
DEBIAN_DUMPER = "/usr/bin/makedumpfile"


class Archive:
    """A cpio archive in the newc format."""

    def __init__(self):
        self._parts, self._inode, self._folders = [], 0, set()

    def folder(self, path: str):
        path = path.strip("/")
        if path and path not in self._folders:
            self.folder(os.path.dirname(path))
            self._folders.add(path)
            self._entry(path, stat.S_IFDIR | 0o755, b"")

    def file(self, path: str, data: bytes, mode: int = 0o644):
        self.folder(os.path.dirname(path))
        self._entry(path.strip("/"), stat.S_IFREG | mode, data)

    def link(self, path: str, target: str):
        self.folder(os.path.dirname(path))
        self._entry(path.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def device(self, path: str, major: int, minor: int):
        self.folder(os.path.dirname(path))
        self._entry(path.strip("/"), stat.S_IFCHR | 0o600, b"", major, minor)

    def bytes(self) -> bytes:
        end = Archive()
        end._entry("TRAILER!!!", 0, b"")
        return b"".join(self._parts + end._parts)

    def _entry(self, name, mode, data, major=0, minor=0):
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = [self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(encoded), 0]
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        self._parts.append(header + b"\0" * (-len(header) % 4) + data + b"\0" * (-len(data) % 4))


def _program(archive: Archive, path: str, seen: set, programs: userland.Userland, source=None):
    """A program with the libraries it needs, at the places where it looks for them."""
    archive.file(path, (source or programs.program(path)).read_bytes(), 0o755)
    for library, file in programs.libraries(path, source):
        if library not in seen:
            seen.add(library)
            archive.file(library, file.read_bytes(), 0o755)


def _base(archive: Archive, kernel: kernels.Kernel, programs: userland.Userland, modules, extra=()):
    archive.device("/dev/console", 5, 1)
    archive.file("/bin/busybox", programs.program("/bin/busybox").read_bytes(), 0o755)
    archive.file("/init", (paths.GUEST / "init").read_bytes(), 0o755)
    order = kernel.order(modules)
    later = [path for path in kernel.order(extra) if path not in order]
    for path in order + later:
        archive.file("/modules/" + _short(path), kernel.module(path))
    archive.file("/modules/order", "".join(_short(path) + "\n" for path in order).encode())
    archive.file("/modules/order.pmem", "".join(_short(path) + "\n" for path in later).encode())


def _builtin(archive: Archive, kernel: kernels.Kernel):
    """Of a kernel without modules, the lists that tell kmod, and with it ndctl, that everything is built in."""
    if (kernel.modules / "modules.dep").stat().st_size == 0:
        for path in kernel.modules.glob("modules.*"):
            archive.file(f"/lib/modules/{kernel.release}/{path.name}", path.read_bytes())


def _short(path):
    return pathlib.Path(path).name.split(".ko")[0] + ".ko"


def mapper(machine: arch.Arch) -> bytes:
    source = paths.GUEST / "mapper.c"
    target = paths.CACHE / "initramfs" / (f"mapper-{machine.debian}-" + hashlib.sha256(source.read_bytes()).hexdigest()[:12])
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        compiler = "gcc" if machine is arch.X86_64 else "aarch64-linux-gnu-gcc"
        subprocess.run([compiler, "-O1", "-static", "-s", "-Wall", "-Wextra", "-Werror", "-o", str(target), str(source)],
                       check=True)
    return target.read_bytes()


def _cached(archive: Archive, name: str) -> pathlib.Path:
    data = archive.bytes()
    target = paths.CACHE / "initramfs" / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}.img"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(gzip.compress(data, 6, mtime=0))
        temporary.rename(target)
    return target


def _udev(archive: Archive, seen: set, programs: userland.Userland):
    """udevd, unpacked and not installed, and our rules as a package puts them."""
    root = paths.CACHE / "udev"
    if not (root / "bin" / "udevadm").exists():
        archive_file = apt.download("udev")
        subprocess.run(["dpkg-deb", "-x", str(archive_file), str(root)], check=True)
        archive_file.unlink()
    _program(archive, "/bin/udevadm", seen, programs, root / "bin" / "udevadm")
    archive.link("/lib/systemd/systemd-udevd", "/bin/udevadm")
    _program(archive, "/usr/bin/flock", seen, programs)
    ours = paths.TREE / "packaging" / "udev"
    archive.file("/lib/udev/rules.d/99-vmcore-kdump.rules", (ours / "99-vmcore-kdump.rules").read_bytes())
    archive.file("/usr/lib/vmcore/kdump-reload", (ours / "kdump-reload").read_bytes(), 0o755)
    archive.folder("/etc/default")


def first(kernel: kernels.Kernel, udev: bool) -> pathlib.Path:
    archive, seen, programs = Archive(), set(), userland.Userland(kernel.arch)
    _base(archive, kernel, programs, kernels.FIRST)
    _builtin(archive, kernel)
    archive.file("/tools/mapper", mapper(kernel.arch), 0o755)
    for path in FIRST_PROGRAMS:
        _program(archive, path, seen, programs)
    for name in ("/usr/share/mke2fs", "/etc/mke2fs.conf"):
        if os.path.isfile(name):
            archive.file("/etc/mke2fs.conf", pathlib.Path(name).read_bytes())
    if udev:
        _udev(archive, seen, programs)
    return _cached(archive, f"first-{kernel.name}" + ("-udev" if udev else ""))


def ways(kernel: kernels.Kernel) -> pathlib.Path:
    """Of a machine that crashes on purpose: the data disk, device mapper, a program that takes memory."""
    archive, seen, programs = Archive(), set(), userland.Userland(kernel.arch)
    _base(archive, kernel, programs, [*kernels.CAPTURE, "dm_mod"])
    archive.file("/tools/mapper", mapper(kernel.arch), 0o755)
    for path in ("/sbin/dmsetup", "/sbin/mke2fs"):
        _program(archive, path, seen, programs)
    return _cached(archive, f"ways-{kernel.name}")


def capture(kernel: kernels.Kernel, debian: bool, drivers: bool) -> pathlib.Path:
    """The capture kernel's: our executable and nothing else, or Debian's dumper too, or the pmem drivers too."""
    archive, programs = Archive(), userland.Userland(kernel.arch)
    _base(archive, kernel, programs, kernels.CAPTURE, kernels.PMEM if drivers else ())
    if debian:
        _program(archive, DEBIAN_DUMPER, set(), programs)
    program = paths.executable(kernel.arch)
    if program.exists():
        archive.file("/tools/vmcore", program.read_bytes(), 0o755)
        archive.link("/tools/makedumpfile", "vmcore")
        archive.link("/tools/vmcore-dmesg", "vmcore")
    return _cached(archive, f"capture-{kernel.name}" + ("-debian" if debian else "") + ("-drivers" if drivers else ""))
