"""One virtual machine: its disks, QEMU without KVM, the serial line and QMP."""
import json
import mmap
import os
import pathlib
import selectors
import shutil
import socket
import subprocess
import time

from . import apt, cases, devicetree, kdump, paths


class Timeout(Exception):
    pass


class Machine:
    def __init__(self, folder: pathlib.Path, case: cases.Case, kernel, initramfs: pathlib.Path, command_line: str):
        self.folder = folder
        self.log = folder / "serial.log"
        self._case = case
        arch = kernel.arch
        options = ",".join(arch.options)
        ram = cases.size(case["ram"])
        # 2 MiB more than said: labels take 128 KiB of it and QEMU rounds the rest down, so that a region has just the
        # size of the case and the next one begins on a boundary that namespaces can have.
        # Of a machine with a device tree the pmem is the end of its memory, which mem= takes from the kernel.
        self._tree = case["firmware"] == "tree"
        self._kept = sum(cases.size(text) for text in case["nvdimm"]) if self._tree else 0
        if self._kept:
            command_line += f" mem={ram >> 20}M"
            ram += self._kept
        self._ram_bytes = ram
        self.nvdimms = [] if self._tree else [cases.size(text) + (2 << 20) for text in case["nvdimm"]]
        self.backing = [folder / f"nvdimm{index}.mem" for index in range(len(self.nvdimms))]
        self._command = [
            # It must not outlive us, not even when we are killed.
            "setpriv", "--pdeathsig", "KILL", "nice", "-n", "10", arch.qemu, "-nodefaults", "-display", "none", "-no-reboot",
            "-accel", "tcg,thread=multi", "-cpu", case["cpu"] or arch.cpu, "-smp", case["cpus"],
            "-kernel", str(kernel.image), "-initrd", str(initramfs), "-append", command_line,
            "-chardev", "stdio,id=serial", "-serial", "chardev:serial",
            "-qmp", f"unix:{folder / 'qmp'},server=on,wait=off",
        ]
        # Memory is a file: a copy of it at the panic is what the dump is compared with.
        self.ram = folder / "ram.mem"
        self._command += ["-object", f"memory-backend-file,id=ram,share=on,mem-path={self.ram},size={ram}"]
        if self.nvdimms:
            total = ram + sum(self.nvdimms)
            self._command += ["-M", f"{options},nvdimm=on,memory-backend=ram",
                              "-m", f"{ram >> 20}M,slots={len(self.nvdimms)},maxmem={(total >> 20) + 1024}M"]
        else:
            self._command += ["-M", f"{options},memory-backend=ram", "-m", f"{ram >> 20}M"]
        for index, size in enumerate(self.nvdimms):
            self._command += [
                "-object", f"memory-backend-file,id=pmem{index},share=on,mem-path={self.backing[index]},"
                           f"size={size},align=2M",
                "-device", f"nvdimm,id=nvdimm{index},memdev=pmem{index},label-size=128K"]
        if self._tree:
            self._command += ["-dtb", str(self._write_tree(arch, options, case, ram))]
        if case["firmware"] == "efi":
            self._command += ["-bios", str(_efi(arch))]
        if case.yes("vmcoreinfo-device"):
            self._command += ["-device", "vmcoreinfo"]
        for name in ("data", "raw", "truth", "swap", *(kdump.DISKS if case["kdump"] else ())):
            self._command += [
                "-drive", f"if=none,id={name},format=raw,file={folder / name}.img,cache=unsafe,discard=unmap,"
                          "detect-zeroes=unmap",
                "-device", f"virtio-blk-pci,drive={name}"]

    def _write_tree(self, arch, options, case, ram):
        """The device tree that QEMU would give the machine, with the pmem."""
        target = self.folder / "machine.dtb"
        subprocess.run([arch.qemu, "-nodefaults", "-display", "none", "-M", f"{options},dumpdtb={target}", "-cpu", case["cpu"] or arch.cpu,
                        "-smp", case["cpus"], "-m", f"{ram >> 20}M"], check=True, capture_output=True)
        if self._kept:
            target.write_bytes(devicetree.add_pmem(target.read_bytes(), arch.ram_base + ram - self._kept, self._kept))
        return target

    def disks(self, contents: pathlib.Path, data_bytes: int):
        """data: the case's files (ext4); raw: where /proc/vmcore goes; truth: page flags; swap."""
        with open(self.folder / "data.img", "wb") as file:
            file.truncate(data_bytes)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", str(contents), str(self.folder / "data.img")],
                       check=True, stdout=subprocess.DEVNULL)
        for name, size in (("raw", 16 << 30), ("truth", 128 << 20), ("swap", 256 << 20)):
            with open(self.folder / f"{name}.img", "wb") as file:
                file.truncate(size)
        if self._case["kdump"]:
            kdump.make_disks(self.folder, cases.size(self._case["kdump-disk"]))
        for path, size in zip(self.backing, self.nvdimms):
            with open(path, "wb") as file:
                file.truncate(size)

    def run(self, actions: dict, seconds: float) -> str:
        """Runs until the machine ends. actions: text on the serial line -> function(machine, line), called with the
        machine stopped; the machine goes on after it. Returns the reason of the end, QMP's ("guest-shutdown",
        "guest-reset", ...), or "killed" when a function said False."""
        deadline = time.monotonic() + seconds * paths.timeout_scale()
        (self.folder / "command").write_text(" ".join(self._command) + "\n")
        with open(self.folder / "qemu.log", "wb") as errors:
            process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        try:
            self._connect(deadline, process)
            return self._watch(process, actions, deadline)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            self._qmp.close()

    def _connect(self, deadline, process):
        self._qmp = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self._qmp.connect(str(self.folder / "qmp"))
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Timeout("QEMU did not start: " + (self.folder / "qemu.log").read_text())
                time.sleep(0.05)
        self._lines = self._qmp.makefile("r")
        self._events = []
        self._lines.readline()
        self.command("qmp_capabilities")

    def command(self, name: str, **arguments):
        self._qmp.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self._lines.readline() or '{"error": "QEMU is gone"}')
            if "event" in answer:
                self._events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"QMP {name}: {answer['error']}")
            else:
                return answer["return"]

    def _watch(self, process, actions, deadline):
        started = time.monotonic()
        selector = selectors.DefaultSelector()
        selector.register(process.stdout, selectors.EVENT_READ)
        pending = b""
        waiting = dict(actions)
        reason = ""
        with open(self.log, "wb") as log:
            while True:
                if time.monotonic() > deadline:
                    raise Timeout(f"no end after {time.monotonic() - started:.0f} s; the last line: {pending[-200:]!r}")
                if not selector.select(timeout=1):
                    continue
                data = os.read(process.stdout.fileno(), 65536)
                if not data:
                    break
                log.write(data)
                log.flush()
                pending += data
                *lines, pending = pending.split(b"\n")
                for text in [line.decode(errors="replace").rstrip() for line in lines]:
                    for key in [key for key in waiting if key in text]:
                        action = waiting.pop(key)
                        self.command("stop")
                        if action(self, text) is False:
                            return "killed"
                        self.command("cont")
        for line in self._lines:
            self._events.append(json.loads(line))
        for event in self._events:
            if event.get("event") == "SHUTDOWN":
                reason = event["data"]["reason"]
        return reason

    def copy_memory(self, suffix: str, ram: bool):
        for path in [*self.backing, *([self.ram] if ram else [])]:
            subprocess.run(["cp", "--sparse=always", str(path), f"{path}.{suffix}"], check=True)
        if self._kept:
            subprocess.run(["dd", f"if={self.ram}", f"of={self.folder}/nvdimm0.mem.{suffix}", "bs=1M", "conv=sparse", "status=none",
                            f"skip={self._ram_bytes - self._kept >> 20}"], check=True)

    def corrupt(self, segment: pathlib.Path, start: int, end: int):
        """Changes one byte in the middle of a loaded segment: the segment's bytes are looked up in the crash kernel's
        region of the memory file, [start, end)."""
        data = segment.read_bytes()
        middle = len(data) // 2
        with open(self.ram, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            at = memory.find(data[middle:middle + 256], start, end)
            if at < 0:
                raise RuntimeError(f"{segment.name} is not in the crash kernel's region")
            memory[at] ^= 0xff

    def collect(self):
        """Takes the guest's files out of its disk."""
        subprocess.run(["debugfs", "-R", f"rdump /out {self.folder}", str(self.folder / "data.img")],
                       check=True, capture_output=True)


def _efi(arch) -> pathlib.Path:
    """EFI firmware for QEMU, unpacked and not installed."""
    package, path = ("ovmf", "ovmf/OVMF.fd") if arch.name == "x86_64" else ("qemu-efi-aarch64", "qemu-efi-aarch64/QEMU_EFI.fd")
    root = paths.CACHE / "firmware"
    image = root / "usr" / "share" / path
    if not image.exists():
        archive = apt.download(package)
        subprocess.run(["dpkg-deb", "-x", str(archive), str(root)], check=True)
        archive.unlink()
    return image


def sparse_copy(source: pathlib.Path, target: pathlib.Path, length: int):
    """Moves a disk image to a file of that length; holes stay holes."""
    os.truncate(source, length)
    shutil.move(source, target)
