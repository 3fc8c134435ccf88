"""The kernels: Debian's, downloaded by apt and unpacked without installing, and ours, as kernel/build leaves them."""
import lzma
import os
import pathlib
import subprocess

from . import apt, arch, paths

DEBIAN = {
    "stock-6.1": "linux-image-amd64",
    "stock-6.12": "linux-image-6.12-amd64",
    "stock-6.1-arm64": "linux-image-arm64",
    "stock-6.12-arm64": "linux-image-6.12-arm64",
    "stock-6.12-arm64-16k": "linux-image-6.12-arm64-16k",
}

# Newer ones that Debian keeps as backports: what the packages of the image and of the modules are called.
SUITE = "trixie-backports"
BACKPORTS = {
    "stock-6.18": [r"linux-image-6\.18\.\d+\+deb13-amd64"],
    "stock-7.3": [r"linux-binary-7\.3\.\d+\+deb13-amd64", r"linux-modules-7\.3\.\d+\+deb13-amd64"],
}

# What the first kernel needs, and, of that, what the capture kernel needs; dependencies are added.
FIRST = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "xfs", "libnvdimm", "nfit", "nd_pmem", "nd_btt",
         "dax_pmem", "device_dax", "kmem", "qemu_fw_cfg", "of_pmem"]
CAPTURE = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4"]
PMEM = ["libnvdimm", "nfit", "of_pmem", "nd_pmem", "nd_btt", "dax_pmem", "device_dax"]


class Kernel:
    def __init__(self, name: str, root: pathlib.Path):
        self.name, self.root, self.arch = name, root, arch.of(name)
        # Newer packages have the modules below /usr, and the newest the image with them.
        self.base = root / "usr" if (root / "usr" / "lib" / "modules").exists() else root
        images = list((root / "boot").glob("vmlinuz-*")) or list(self.base.glob("lib/modules/*/vmlinuz"))
        self.image = images[0]
        self.release = self.image.parent.name if self.image.name == "vmlinuz" else self.image.name.removeprefix("vmlinuz-")
        self.modules = self.base / "lib" / "modules" / self.release
        self._needs = None
        self._paths = {}

    def order(self, wanted):
        """Module files in an order in which insmod takes them."""
        if self._needs is None:
            self._read_dependencies()
        order = []

        def add(path):
            for need in self._needs.get(path, []):
                add(need)
            if path not in order:
                order.append(path)

        for name in wanted:
            path = self._paths.get(name.replace("-", "_"))
            if path:  # else it is built in
                add(path)
        return order

    def _read_dependencies(self):
        if not (self.modules / "modules.dep").exists():
            subprocess.run(["depmod", "-b", str(self.base), self.release], check=True, stderr=subprocess.DEVNULL)
        self._needs = {}
        for line in (self.modules / "modules.dep").read_text().splitlines():
            path, _, needs = line.partition(":")
            self._needs[path] = needs.split()
            self._paths[pathlib.Path(path).name.split(".ko")[0].replace("-", "_")] = path

    def module(self, path: str) -> bytes:
        """The module's bytes, not compressed: insmod of busybox reads no xz."""
        data = (self.modules / path).read_bytes()
        return lzma.decompress(data) if path.endswith(".xz") else data


def cached(name: str) -> bool:
    return any(any(_root(name).glob(image)) for image in ("boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"))


def get(name: str) -> Kernel:
    root = _root(name)
    if not cached(name):
        if name in DEBIAN:
            _download(name, root)
        elif name in BACKPORTS:
            for pattern in BACKPORTS[name]:
                unpack(apt.download(apt.newest(pattern, SUITE), SUITE), root)
        else:
            subprocess.run([str(paths.TREE / "kernel" / "build"), name.removeprefix("patched-")], check=True)
    return Kernel(name, root)


def _root(name):
    # Ours are where kernel/build leaves them; VMCORE_KERNELS names another tree's .cache/kernel.
    built = pathlib.Path(os.environ.get("VMCORE_KERNELS", paths.TREE / ".cache" / "kernel"))
    return paths.CACHE / "kernels" / name if name in DEBIAN or name in BACKPORTS else built / name


def _download(name, root):
    machine = arch.of(name).debian
    # The meta package says which version is the newest; the unsigned image is the same kernel without a signature
    # and without dependencies that would have to be installed.
    package = next(word for word in apt.dependencies(DEBIAN[name], machine)
                   if word.startswith("linux-image-6") and word != DEBIAN[name])
    unpack(apt.download(package + "-unsigned", architecture=machine), root)


def unpack(archive, root):
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg-deb", "-x", str(archive), str(root)], check=True)
    archive.unlink()


def debug(kernel: Kernel, download: bool = False):
    """The kernel with debug information for drgn, or None when it is not here. Debian's is a download of 1 GB."""
    for built in (kernel.root / "vmlinux", kernel.root / "objects" / "vmlinux"):
        if built.exists():
            sections = subprocess.run(["readelf", "-SW", str(built)], capture_output=True, text=True).stdout
            return built if ".debug_info" in sections else None
    target = paths.CACHE / "debug" / f"vmlinux-{kernel.release}"
    if not target.exists() and download:
        target.parent.mkdir(parents=True, exist_ok=True)
        archive = apt.download(f"linux-image-{kernel.release}-dbg", architecture=kernel.arch.debian)
        subprocess.run(f"dpkg-deb --fsys-tarfile '{archive}' | tar -x --no-same-owner --wildcards --strip-components=5 "
                       f"-C '{target.parent}' '*/boot/vmlinux-{kernel.release}'", shell=True, check=True)
        archive.unlink()
    return target if target.exists() else None
