# SPDX-License-Identifier: GPL-2.0
"""The little of /proc/vmcore that the checks need: program headers, vmcoreinfo, physical and kernel image reads."""
import collections
import struct

Load = collections.namedtuple("Load", "flags offset virtual start end")


class Malformed(Exception):
    pass


class Vmcore:
    def __init__(self, path):
        self._file = open(path, "rb")
        self.loads, notes = [], []
        phoff, count = struct.unpack_from("<Q16xH", self._at(0, 64), 32)[0], struct.unpack_from("<H", self._at(0, 64), 56)[0]
        for index in range(count):
            kind, flags, offset, virtual, physical, filesz = struct.unpack("<IIQQQQ", self._at(phoff + index * 56, 40))
            if kind == 1:
                self.loads.append(Load(flags, offset, virtual, physical, physical + filesz))
            elif kind == 4:
                notes.append((offset, filesz))
        self.info, self.info_length = {}, 0
        for offset, size in notes:
            self._notes(self._at(offset, size))

    def _at(self, offset, size):
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) != size:
            raise Malformed(f"{size} bytes at {offset:#x} are not there")
        return data

    def _notes(self, data):
        position = 0
        while position + 12 <= len(data):
            namesz, descsz, _ = struct.unpack_from("<III", data, position)
            name = data[position + 12:position + 12 + namesz].rstrip(b"\0")
            start = position + 12 + (namesz + 3 & ~3)
            if name == b"VMCOREINFO":
                self.info_length = descsz
                for line in data[start:start + descsz].decode().splitlines():
                    key, _, value = line.partition("=")
                    self.info.setdefault(key, value)
            position = start + (descsz + 3 & ~3)

    def physical(self, address, size):
        for load in self.loads:
            if load.start <= address and address + size <= load.end:
                return self._at(load.offset + address - load.start, size)
        raise Malformed(f"physical address {address:#x} is in no PT_LOAD")

    def image(self, address, size):
        """From the kernel's own image: the first PT_LOAD."""
        text = self.loads[0]
        if not text.virtual <= address <= text.virtual + (text.end - text.start) - size:
            raise Malformed(f"{address:#x} is not in the kernel image")
        return self._at(text.offset + address - text.virtual, size)

    def memmaps(self, head):
        """[(first pfn, pfn after the last, pgmap)], as a dump tool follows the list."""
        records = []
        following = struct.unpack("<Q", self.image(head, 8))[0]
        while following != head:
            if len(records) == 256:
                raise Malformed("the list does not end")
            following, _, start, end, pgmap = struct.unpack("<5Q", self.image(following, 40))
            records.append((start, end, pgmap))
        return records
