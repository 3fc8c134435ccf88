"""Reads dumps for the judge, by code of its own: what is judged does not judge itself.

Each class gives pages() -> pfn numbers in the file (ascending), has(pfn) and page(pfn) -> the bytes of one page.
"""
import bisect
import ctypes
import mmap
import pathlib
import struct
import zlib


class DumpError(Exception):
    pass


def open_dump(path: pathlib.Path, page_size: int = 4096):
    """page_size: of the kernel, for a file that does not say it."""
    with open(path, "rb") as file:
        magic = file.read(8)
    if magic == b"KDUMP   ":
        return Kdump(path, page_size)
    if magic[:4] == b"\x7fELF":
        return ElfCore(path, page_size)
    raise DumpError(f"{path.name}: neither kdump-compressed nor ELF: {magic!r}")


def rearrange(source: pathlib.Path, target: pathlib.Path):
    """A flattened stream to the file that it describes."""
    with open(source, "rb") as stream, open(target, "wb") as file:
        if stream.read(4096)[:16] != b"makedumpfile\0\0\0\0":
            raise DumpError(f"{source.name} is not flattened")
        while True:
            offset, size = struct.unpack(">qq", stream.read(16))
            if offset < 0:
                break
            file.seek(offset)
            file.write(stream.read(size))


def _map(path):
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


class Kdump:
    """kdump-compressed, version 6."""

    def __init__(self, path, page_size):
        self._data, self.page_size = _map(path), page_size
        status, block, sub_blocks, bitmap_blocks = struct.unpack_from("<IiiI", self._data, 424)
        if block != page_size:
            raise DumpError(f"block size {block}")
        self.incomplete = bool(status & 8)
        self.level = struct.unpack_from("<i", self._data, self.page_size + 8)[0]
        offset, size = struct.unpack_from("<QQ", self._data, self.page_size + 32)
        self.vmcoreinfo = self._data[offset:offset + size].decode(errors="replace")
        start = self.page_size * (1 + sub_blocks)
        half = bitmap_blocks * self.page_size // 2
        self.exists = self._data[start:start + half]
        self._bitmap = self._data[start + half:start + 2 * half]
        self._descriptors = start + bitmap_blocks * self.page_size
        self._pages = [pfn for byte, value in enumerate(self._bitmap) if value
                       for pfn in range(byte * 8, byte * 8 + 8) if value >> (pfn & 7) & 1]
        self._index = {pfn: index for index, pfn in enumerate(self._pages)}
        self._last = (None, b"")
        self._lzo = None

    def pages(self):
        return self._pages

    def has(self, pfn):
        return pfn in self._index

    def in_memory(self, pfn):
        return pfn // 8 < len(self.exists) and bool(self.exists[pfn // 8] >> (pfn & 7) & 1)

    def page(self, pfn):
        offset, size, flags, _ = struct.unpack_from("<QIIQ", self._data, self._descriptors + 24 * self._index[pfn])
        if self._last[0] == offset:  # the block that all zero pages share
            return self._last[1]
        data = self._data[offset:offset + size]
        if len(data) != size or offset == 0:
            raise DumpError(f"pfn {pfn:#x}: its data are not in the file")
        if flags & 1:
            data = zlib.decompress(data)
        elif flags & 2:
            data = self._decompress_lzo(data)
        elif flags & 0x24:
            raise DumpError("snappy and zstd are for libkdumpfile")
        if len(data) != self.page_size:
            raise DumpError(f"pfn {pfn:#x}: {len(data)} bytes")
        self._last = (offset, data)
        return data

    def _decompress_lzo(self, data):
        if self._lzo is None:
            self._lzo = ctypes.CDLL("liblzo2.so.2").lzo1x_decompress_safe
            self._out = ctypes.create_string_buffer(self.page_size)
        length = ctypes.c_size_t(self.page_size)
        if self._lzo(data, ctypes.c_size_t(len(data)), self._out, ctypes.byref(length), None):
            raise DumpError("LZO data are broken")
        return self._out.raw[:length.value]


class ElfCore:
    """An ELF core file that makedumpfile -E wrote. In it a short run of pages that were left out is written as zeros,
    so a page of zeros is taken for one that is not there."""

    incomplete = False
    level = None

    def __init__(self, path, page_size):
        self._data, self.page_size = _map(path), page_size
        table, sections = struct.unpack_from("<QQ", self._data, 32)
        count = struct.unpack_from("<H", self._data, 56)[0]
        if count == 0xffff:
            count = struct.unpack_from("<I", self._data, sections + 44)[0]
        self.loads, text = [], []
        for index in range(count):
            kind, flags, offset, virtual, physical, size, memory, _ = struct.unpack_from(
                "<IIQQQQQQ", self._data, table + 56 * index)
            if kind != 1:
                continue
            # The kernel's text comes twice: once by its own address, once as RAM.
            (text if virtual >= 0xffffffff80000000 else self.loads).append((physical, size, offset, flags, memory))
        self.loads.sort()
        self.header_loads = len(self.loads)
        self._starts = [load[0] for load in self.loads]

    def _find(self, pfn):
        index = bisect.bisect_right(self._starts, pfn * self.page_size + self.page_size - 1) - 1
        while index >= 0:
            physical, size, offset, _, memory = self.loads[index]
            if physical <= pfn * self.page_size and pfn * self.page_size + self.page_size <= physical + size:
                return offset + pfn * self.page_size - physical
            if pfn * self.page_size >= physical + memory:
                return None
            index -= 1
        return None

    def pages(self):
        for physical, size, _, _, _ in self.loads:
            for pfn in range((physical + self.page_size - 1) // self.page_size, (physical + size) // self.page_size):
                if self.page(pfn).count(0) != self.page_size:
                    yield pfn

    def has(self, pfn):
        return self._find(pfn) is not None and self.page(pfn).count(0) != self.page_size

    def in_memory(self, pfn):
        return any(load[0] <= pfn * self.page_size < load[0] + load[4] for load in self.loads)

    def page(self, pfn):
        offset = self._find(pfn)
        return self._data[offset:offset + self.page_size]
