"""What the reader tests ask a crashed kernel, whichever reader brings its memory: `read(virtual_address, size)` gives bytes.

Nothing here needs debug information: vmcoreinfo gives the layout of the memmap, and BTF, which is in the dump, that of tasks.
"""
import struct

PAGE = 4096


class RawVmcore:
    """The vmcore that the dump was made from, page by page, read without any library."""

    def __init__(self, path):
        self.file = open(path, "rb")
        header = self.file.read(64)
        assert header[:5] == b"\x7fELF\x02", path
        phoff, phnum = struct.unpack_from("<Q", header, 32)[0], struct.unpack_from("<H", header, 56)[0]
        self.loads = []
        for i in range(phnum):
            self.file.seek(phoff + 56 * i)
            kind, flags, offset, _, address, size = struct.unpack("<IIQQQQ", self.file.read(40))
            if kind == 1:
                self.loads.append((address, size, offset, flags))

    def vmcoreinfo(self):
        """The text of the VMCOREINFO note."""
        self.file.seek(0)
        head = self.file.read(min(offset for _, _, offset, _ in self.loads))
        at = head.index(b"VMCOREINFO\0\0") - 12
        return head[at + 24:at + 24 + struct.unpack_from("<I", head, at + 4)[0]].decode()

    def page(self, pfn):
        """The page; None if no PT_LOAD has all of it."""
        for address, size, offset, _ in self.loads:
            if address <= pfn * PAGE and (pfn + 1) * PAGE <= address + size:
                self.file.seek(offset + pfn * PAGE - address)
                return self.file.read(PAGE)
        return None

    def pfns(self):
        """Every whole page once."""
        return sorted({pfn for address, size, _, _ in self.loads for pfn in range(-(-address // PAGE), (address + size) // PAGE)})

    def pmem(self):
        """(first pfn, end pfn) of each PT_LOAD that is marked as a device: PF_DEV of the RFCs or of today's series."""
        return [(address // PAGE, (address + size) // PAGE) for address, size, _, flags in self.loads if flags & 0x800010]


class Kernel:
    def __init__(self, read, vmcoreinfo, symbols=None):
        self.read = read
        self.info = dict(line.split("=", 1) for line in vmcoreinfo.splitlines() if "=" in line)
        self.symbols = symbols or {}

    def u64(self, address):
        return struct.unpack("<Q", self.read(address, 8))[0]

    def symbol(self, name):
        text = self.info.get(f"SYMBOL({name})")
        return int(text, 16) if text else self.symbols[name]

    def number(self, key):
        return int(self.info[key], 0)

    def release(self):
        """The release in init_uts_ns: kernel data, found by its virtual address."""
        at = self.symbol("init_uts_ns") + self.number("OFFSET(uts_namespace.name)")
        return self.read(at + 2 * 65, 65).split(b"\0")[0].decode()

    def page_address(self, pfn):
        """Where the struct page of a pfn is (SPARSEMEM_EXTREME)."""
        section = pfn >> (self.number("NUMBER(SECTION_SIZE_BITS)") - 12)
        size = self.number("SIZE(mem_section)")
        # The value of this "symbol" is the array of roots itself, not the variable that points to it.
        root = self.u64(self.symbol("mem_section") + 8 * (section // (PAGE // size)))
        encoded = self.u64(root + section % (PAGE // size) * size + self.number("OFFSET(mem_section.section_mem_map)"))
        return (encoded & ~0x3F) + pfn * self.number("SIZE(page)")

    def pmem_metadata(self):
        """[start, end) pfns from the kernel's list of memmaps on pmem; None if this kernel has no such list."""
        if "SYMBOL(devm_memmap_vmcore_head)" not in self.info:
            return None
        head, entry = self.symbol("devm_memmap_vmcore_head"), self.number("OFFSET(devm_memmap_vmcore.entry)")
        ranges, node = [], self.u64(head)
        while node != head:
            assert len(ranges) < 1000, "the list does not end"
            start = node - entry + self.number("OFFSET(devm_memmap_vmcore.start)")
            end = node - entry + self.number("OFFSET(devm_memmap_vmcore.end)")
            ranges.append((self.u64(start), self.u64(end)))
            node = self.u64(node)
        return ranges

    def tasks(self):
        """(pid, comm) of each process, from the list that starts at init_task."""
        start, stop = self.symbols["__start_BTF"], self.symbols["__stop_BTF"]
        members = btf_members(self.read(start, stop - start), "task_struct", ("tasks", "pid", "comm"))
        head = self.symbols["init_task"] + members["tasks"]
        found, node = [], head
        while True:
            task = node - members["tasks"]
            pid = struct.unpack("<i", self.read(task + members["pid"], 4))[0]
            found.append((pid, self.read(task + members["comm"], 16).split(b"\0")[0].decode()))
            node = self.u64(node)
            if node == head:
                return found
            assert len(found) < 100000, "the list does not end"


def btf_members(blob, struct_name, names):
    """Byte offsets of members of a struct."""
    magic, _, _, header, types, types_size, strings, _ = struct.unpack_from("<HBBIIIII", blob)
    assert magic == 0xEB9F
    text = blob[header + strings:]
    at, end = header + types, header + types + types_size
    wanted = struct_name.encode()
    while at < end:
        name, info, _ = struct.unpack_from("<III", blob, at)
        at += 12
        count, kind = info & 0xFFFF, info >> 24 & 0x1F
        if kind == 4 and text[name:name + len(wanted) + 1] == wanted + b"\0":
            members = {}
            for i in range(count):
                member, _, offset = struct.unpack_from("<III", blob, at + 12 * i)
                key = text[member:text.index(b"\0", member)].decode()
                if key in names:
                    members[key] = (offset & 0xFFFFFF if info >> 31 else offset) // 8
            return members
        # What follows a type, in bytes, by its kind.
        at += {1: 4, 3: 12, 4: 12 * count, 5: 12 * count, 6: 8 * count, 13: 8 * count, 14: 4, 15: 12 * count, 17: 4, 19: 12 * count}.get(kind, 0)
    raise KeyError(struct_name)


def read_symbols(path):
    """{name: address} from a file in the form of /proc/kallsyms."""
    with open(path) as lines:
        return {name: int(address, 16) for address, _, name in (line.split()[:3] for line in lines)}


def check_kernel(kernel, raw, wanted_tasks):
    """What every reader must find; gives one line for each thing."""
    release = kernel.release()
    assert release == kernel.info["OSRELEASE"], release
    yield f"kernel {release}"
    listed = kernel.pmem_metadata()
    if listed is not None:
        assert listed, "the list is empty"
        yield "list: " + ", ".join(f"[{a:x}, {b:x})" for a, b in listed)
    for start, end in listed or []:
        # The struct page of the last page of the metadata itself: it lies on the pmem, and the kernel has made it reserved.
        pfn = end - 1
        page = kernel.read(kernel.page_address(pfn), 64)
        flags, count = struct.unpack_from("<Q", page)[0], struct.unpack_from("<i", page, 52)[0]
        assert flags & (1 << 12) and count == 1, (hex(pfn), page.hex())
        yield f"struct page of pfn {pfn:x}, which is on pmem: flags {flags:x}, count {count}"
    # A struct page of RAM too.
    first = next(pfn for pfn in raw.pfns() if not any(a <= pfn < b for a, b in raw.pmem()))
    kernel.read(kernel.page_address(first), 64)
    if wanted_tasks is not None:
        tasks = kernel.tasks()
        missing = wanted_tasks - {comm for _, comm in tasks}
        assert not missing, f"tasks not found: {missing}"
        yield f"{len(tasks)} processes, among them {', '.join(sorted(wanted_tasks)[:4])}"
