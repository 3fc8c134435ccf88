"""What the machine was just before its panic, from the first kernel's own files and from the host's memory files."""
import dataclasses
import hashlib
import mmap
import pathlib
import re

from .arch import SECTION, Arch

INFO = 4096  # the info block: this much, at this offset of a namespace


def right_bytes(media, unwritten):
    """What may stand in a dump for these bytes of the media. unwritten: bytes at their start that belong to struct pages which the kernel never writes. Where
    other data were on the media before, those stay at the start of the live memmap; our dumper makes them zero."""
    return [media, bytes(unwritten) + media[unwritten:]] if unwritten else [media]


@dataclasses.dataclass
class Namespace:
    name: str
    base: int
    size: int
    mode: str      # fsdax, devdax, sector, raw
    mapping: str   # dev, mem or -
    metadata_end: int
    required: list  # [start, end) of metadata that a dump must have
    allowed: list   # and of what else it may have
    reserve_bytes: int

    @property
    def unwritten(self):
        """Where the live memmap begins with struct pages that the kernel never wrote: those of the first two pages. A
        namespace that begins inside a section has these in RAM."""
        return [start for start, _ in self.required[1:] if self.base % SECTION == 0]

    def right(self, start, media):
        """What may stand in a dump for the media's bytes of the required range that begins at start."""
        return right_bytes(media, self.reserve_bytes if start in self.unwritten else 0)

    def told(self, memory):
        """(first page, the right SHA-256s) of each range of memmap, as a tool names it: with the page of the info block where that is next to it, of which
        all but the block reads as zero."""
        page = memory.page_size
        for start, end in self.required[1:]:
            block, block_end = self.required[0]
            front = b""
            if -(-block_end // page) * page == start and page > INFO:
                front = bytes(block % page) + memory.read(block, block_end - block)
                front += bytes(-len(front) % page)
            yield (start - len(front)) // page, [hashlib.sha256(front + data).hexdigest() for data in self.right(start, memory.read(start, end - start))]


class Memory:
    """Physical memory as the host saw it at the panic."""

    def __init__(self, page_size):
        self.parts, self.page_size = [], page_size

    def add(self, start, path: pathlib.Path, offset=0, length=None):
        with open(path, "rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.parts.append((start, (length or len(data)), data, offset))

    def read(self, address, size):
        for start, length, data, offset in self.parts:
            if start <= address and address + size <= start + length:
                at = offset + address - start
                return data[at:at + size]
        return None

    def page(self, pfn):
        return self.read(pfn * self.page_size, self.page_size)


def iomem(text):
    """(depth, start, end, name) of each line; end is exclusive."""
    lines = []
    for line in text.splitlines():
        match = re.match(r"( *)([0-9a-f]+)-([0-9a-f]+) : (.*)", line)
        if match:
            lines.append((len(match[1]) // 2, int(match[2], 16), int(match[3], 16) + 1, match[4]))
    return lines


def attributes(text):
    devices = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        device, _, attribute = name.partition("/")
        if equals:
            devices.setdefault(device, {})[attribute] = value.strip()
    return devices


def namespaces(devices, arch: Arch):
    found = []
    for name, values in sorted(devices.items()):
        if not re.fullmatch(r"namespace\d+\.\d+", name) or not values.get("resource", "").startswith("0x"):
            continue
        base, size = int(values["resource"], 16), int(values["size"])
        if size == 0 or base == (1 << 64) - 1:
            continue
        holder = devices.get(values.get("holder", ""), {})
        kind = values.get("holder", "").rstrip("0123456789.")
        mode = {"pfn": "fsdax", "dax": "devdax", "btt": "sector"}.get(kind, "raw")
        mapping = {"pmem": "dev", "ram": "mem"}.get(holder.get("mode"), "-")
        if mode in ("fsdax", "devdax"):
            end = int(holder["resource"], 16)
            information = [(base + INFO, base + 2 * INFO)]
            required = information + arch.metadata(base, size) if mapping == "dev" else []
            allowed = information
        else:
            end, required, allowed = base, [], []
        found.append(Namespace(name, base, size, mode, mapping, end, required, allowed, arch.reserve_bytes))
    return found


class Truth:
    def __init__(self, folder: pathlib.Path, nvdimms: int, ram: int, arch: Arch):
        first = folder / "out" / "first"
        self.folder, self.arch, self.page = folder, arch, arch.page
        self.iomem = iomem((first / "iomem").read_text())
        self.devices = attributes((first / "nd-sysfs").read_text())
        self.namespaces = namespaces(self.devices, arch)
        self.regions = sorted((start, end) for _, start, end, name in self.iomem if name.startswith("Persistent Memory"))
        if not self.regions:
            # A device tree's pmem-region has the name of its namespace in iomem and no more.
            self.regions = sorted((int(values["resource"], 16), int(values["resource"], 16) + int(values["size"]))
                                  for name, values in self.devices.items() if re.fullmatch(r"region\d+", name))
        self.hotplugged = [(start, end) for _, start, end, name in self.iomem if name == "System RAM (kmem)"]
        self.crash = [(start, end) for _, start, end, name in self.iomem if name == "Crash kernel"]
        self.ram = [(start, end) for _, start, end, name in self.iomem if name.startswith("System RAM")]
        self.flags = (first / "kpageflags").read_bytes()
        if len(self.regions) != nvdimms:
            raise ValueError(f"{nvdimms} nvdimms but {len(self.regions)} regions")
        self._ram_bytes = ram

    def memory(self, suffix):
        memory = Memory(self.page)
        for index, (start, end) in enumerate(self.regions):
            memory.add(start, self.folder / f"nvdimm{index}.mem.{suffix}", 0, end - start)
        ram = self.folder / f"ram.mem.{suffix}"
        if ram.exists():
            low = self._ram_bytes if self._ram_bytes < self.arch.ram_split else self.arch.ram_below_4g
            memory.add(self.arch.ram_base, ram, 0, low)
            if low < self._ram_bytes:
                memory.add(1 << 32, ram, low, self._ram_bytes - low)
        return memory

    def information(self, pfn):
        """Of a page with an info block: the [start, end) of it in the page. None of any other."""
        for space in self.namespaces:
            for start, end in (space.required or space.allowed)[:1]:
                if start // self.page == pfn:
                    return start % self.page, start % self.page + end - start
        return None

    def is_pmem(self, pfn):
        address = pfn * self.page
        return (any(start <= address < end for start, end in self.regions)
                and not any(start <= address < end for start, end in self.hotplugged))

    def page_flags(self, pfn):
        return int.from_bytes(self.flags[pfn * 8:pfn * 8 + 8], "little")

    def ram_pfns(self):
        for start, end in self.ram:
            for pfn in range(-(-start // self.page), end // self.page):
                address = pfn * self.page
                if address >= 1 << 20 and not any(low <= address < high for low, high in self.crash):
                    yield pfn
