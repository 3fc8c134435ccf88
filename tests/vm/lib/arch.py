"""What differs between the machines: QEMU's, Debian's names, where memory lies, how large a page is, and where the kernel puts the memmap of a namespace."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Arch:
    name: str
    debian: str            # what Debian's packages call it
    triplet: str           # folder of libraries
    qemu: str              # the machine's program ...
    options: tuple         # ... its -M, to which memory is added ...
    cpu: str               # ... and its usual processor
    console: str
    page: int              # bytes
    ram_base: int          # physical address of the first byte of RAM
    ram_below_4g: int      # more than ram_split of RAM: this much of it lies at ram_base, the rest at 4 GiB
    ram_split: int
    method: str            # how our reader unwinds
    stack: tuple           # of the task that panicked, in this order

    @property
    def reserve_bytes(self):
        """Struct pages that the kernel never writes: those of the first 8 KiB of a namespace, with the info block."""
        return 64 * -(-8192 // self.page)

    def metadata(self, base, size):
        """[start, end) of the memmap on the media of a namespace map=dev. It must begin on a 2 MiB boundary."""
        sections = (base + size) // SECTION - -(-base // SECTION)
        if self.page == 4096:
            # 2 MiB blocks from base + 2 MiB on, one for each whole section; x86_64 has the memmap of a part of a section in RAM. (arm64 takes pages of
            # the media for it too; no namespace of a case has such a part.)
            return [(base + BLOCK, base + BLOCK + sections * BLOCK)] if sections > 0 else []
        # Larger pages: one after another, right behind the page of the info block.
        return [(base + self.page, base + self.page + size // self.page * 64)]


SECTION = 128 << 20
BLOCK = 2 << 20

X86_64 = Arch("x86_64", "amd64", "x86_64-linux-gnu", "qemu-system-x86_64", ("q35",), "max,la57=off", "ttyS0", 4096, 0, 0x80000000, 0xb0000000,
              "orc", ("panic", "sysrq_handle_crash", "write_sysrq_trigger", "vfs_write", "do_syscall_64", "user"))
ARM64 = Arch("arm64", "arm64", "aarch64-linux-gnu", "qemu-system-aarch64", ("virt", "gic-version=3"), "max,pauth-impdef=on", "ttyAMA0", 4096,
             0x40000000, 1 << 50, 1 << 50,
             "frame_pointers", ("panic", "sysrq_handle_crash", "write_sysrq_trigger", "vfs_write", "el0_svc"))


def of(kernel: str) -> Arch:
    """By the name of a kernel: those of arm64 say so, and their page size where it is not 4 KiB."""
    if "-arm64" not in kernel:
        return X86_64
    return dataclasses.replace(ARM64, page=16384) if kernel.endswith("-16k") else ARM64
