"""Adds persistent memory to the device tree of a machine, as firmware without ACPI describes it ("pmem-region")."""
import struct

BEGIN, END, PROPERTY, LAST = 1, 2, 3, 9


def add_pmem(blob: bytes, address: int, size: int) -> bytes:
    """The tree with one more node in its root. Its cells are two words, and it has both names of properties, as QEMU's trees do."""
    magic, _, structure, strings, reserved, version, compatible, cpu, strings_size, structure_size = struct.unpack_from(">10I", blob)
    if magic != 0xd00dfeed:
        raise ValueError("not a device tree")
    names = blob[strings:strings + strings_size]
    body = blob[structure:structure + structure_size]
    tail = struct.pack(">2I", END, LAST)
    if not body.endswith(tail):
        raise ValueError("the device tree ends otherwise than with its root")
    node = _word(BEGIN) + _padded(f"pmem@{address:x}".encode() + b"\0")
    for name, value in ((b"compatible", b"pmem-region\0"), (b"reg", struct.pack(">2Q", address, size))):
        node += struct.pack(">3I", PROPERTY, len(value), names.index(name + b"\0")) + _padded(value)
    body = body[:-len(tail)] + node + _word(END) + tail
    # Header, reserved memory, structure, strings, one after another.
    front = blob[reserved:min(offset for offset in (structure, strings) if offset > reserved)]
    structure = 40 + len(front)
    strings = structure + len(body)
    header = struct.pack(">10I", magic, strings + len(names), structure, strings, 40, version, compatible, cpu, len(names), len(body))
    return header + front + body + names


def _word(value):
    return struct.pack(">I", value)


def _padded(data):
    return data + bytes(-len(data) % 4)
