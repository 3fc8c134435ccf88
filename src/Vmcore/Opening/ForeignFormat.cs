namespace Vmcore.Opening;

/// <summary>Names formats that are not read, with what to do: people bring them, and their first bytes in hexadecimal say nothing to anybody.</summary>
internal static class ForeignFormat
{
    /// <summary>Bytes from the start of a file that are enough to tell.</summary>
    internal const int HeadBytes = 512;

    private const string Unpack = "a dump that is not compressed: unpack it first with ";

    private const string Vmware = "an ELF core: VMware's vmss2core -N makes one";

    // Magic numbers: RFC 1952, the .xz, Zstandard, LZ4 frame and bzip2 formats; QEMU's qemu-file, libvirt's qemu_saveimage; the headers of LiME, AVML,
    // LKCD (dump_header), stand-alone dumps of IBM Z and Windows crash dumps; VMware's cpt headers as crash lists them.
    private static readonly Format[] s_formats =
    [
        new(0, [0x1f, 0x8b], "data compressed by gzip", Unpack + "gzip -d"),
        new(0, [0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0], "data compressed by xz", Unpack + "xz -d"),
        new(0, [0x28, 0xb5, 0x2f, 0xfd], "data compressed by zstd", Unpack + "zstd -d"),
        new(0, [(byte)'B', (byte)'Z', (byte)'h'], "data compressed by bzip2", Unpack + "bzip2 -d"),
        new(0, [0x04, 0x22, 0x4d, 0x18], "data compressed by lz4", Unpack + "lz4 -d"),
        new(0, [0x89, (byte)'L', (byte)'Z', (byte)'O'], "data compressed by lzop", Unpack + "lzop -d"),
        new(0, [(byte)'P', (byte)'K', 3, 4], "a zip archive", "a dump: unpack it first"),
        new(257, [.. "ustar"u8], "a tar archive", "a dump: unpack it first with tar -x"),
        new(0, [.. "QEVM"u8], "the saved state of a QEMU machine (migration stream)",
            "a dump of its memory: make one with 'virsh dump --memory-only' or QEMU's dump-guest-memory while the machine runs"),
        new(0, [.. "LibvirtQemud"u8], "the saved state of a libvirt machine (virsh save, or virsh dump without --memory-only)",
            "a dump of its memory: make one with 'virsh dump --memory-only'; virsh restore brings the machine back for that"),
        new(0, [(byte)'Q', (byte)'F', (byte)'I', 0xfb], "a disk image (qcow2)", "a dump of a machine's memory"),
        new(0, [.. "EMiL"u8], "a LiME memory image of an unknown version", "one of version 1"),
        new(0, [.. "AVML"u8], "an AVML memory image", "an uncompressed one: make one with avml-convert"),
        new(0, [0xd0, 0xbe, 0xd0, 0xbe], "a VMware memory state (.vmss, .vmsn)", Vmware),
        new(0, [0xd1, 0xba, 0xd1, 0xba], "a VMware memory state (.vmss, .vmsn)", Vmware),
        new(0, [0xd2, 0xbe, 0xd2, 0xbe], "a VMware memory state (.vmss, .vmsn)", Vmware),
        new(0, [0xd3, 0xbe, 0xd3, 0xbe], "a VMware memory state (.vmss, .vmsn)", Vmware),
        new(0, [0xed, 0x23, 0x8f, 0x61, 0x73, 0x01, 0x19, 0xa8], "an LKCD dump", "one of kdump; crash reads LKCD dumps"),
        new(0, [0xa8, 0x19, 0x01, 0x73, 0x61, 0x8f, 0x23], "a stand-alone dump of an IBM Z machine", "one of a machine that is read; crash reads it there"),
        new(0, [.. "PAGEDU64"u8], "a crash dump of Windows", "one of Linux"),
        new(0, [.. "PAGEDUMP"u8], "a crash dump of Windows", "one of Linux"),
        new(0, [.. "sadump\0\0"u8], "a sadump image",
            "an ELF core file, a kdump-compressed file or a flattened stream of one; makedumpfile 1.7 makes one of a sadump image"),
    ];

    /// <summary>Names a format.</summary>
    /// <param name="head">The first bytes of the file.</param>
    /// <returns>What it is, and what is to be done; null if it is not known.</returns>
    internal static (string Found, string Expected)? Name(ReadOnlySpan<byte> head)
    {
        foreach (Format format in s_formats)
        {
            if (head.Length >= format.Offset + format.Magic.Length && head[format.Offset..].StartsWith(format.Magic))
                return (format.Name, format.Advice);
        }

        return null;
    }

    private sealed record Format(int Offset, byte[] Magic, string Name, string Advice);
}
