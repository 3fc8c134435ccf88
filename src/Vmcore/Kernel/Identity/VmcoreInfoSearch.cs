using System.Buffers.Binary;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Identity;

/// <summary>A text that may be vmcoreinfo.</summary>
/// <param name="Address">Physical address of its note.</param>
/// <param name="Text">The text.</param>
internal sealed record FoundVmcoreInfo(ulong Address, byte[] Text);

/// <summary>
/// Looks for vmcoreinfo in the machine's memory. The kernel keeps the note there from its start (vmcoreinfo_note, kernel/vmcore_info.c), so that dumps whose
/// maker does not bring it, hypervisors without the device and raw images, have it nevertheless.
/// </summary>
internal static class VmcoreInfoSearch
{
    private const int ChunkBytes = 1 << 20;

    // struct elf64_note: length of the name with its NUL, of the descriptor, type 0; then the name, padded to 4 bytes.
    private const int HeaderBytes = 24;

    private static ReadOnlySpan<byte> Name => "VMCOREINFO\0\0"u8;

    /// <summary>Finds texts that may be vmcoreinfo, by their notes. Kernels that ran before, and files in the page cache, may have left some.</summary>
    /// <param name="memory">The machine's memory.</param>
    /// <returns>The texts, in the order of their addresses; each is to be checked against the kernel that it describes.</returns>
    internal static IEnumerable<FoundVmcoreInfo> Find(CrashMemory memory)
    {
        byte[] chunk = new byte[ChunkBytes];
        int candidates = 0;
        foreach (PfnRange extent in memory.Extents)
        {
            for (ulong pfn = extent.Start; pfn < extent.End;)
            {
                ulong absent = memory.AbsentUntil(new(pfn, extent.End));
                if (absent == pfn)
                    absent = memory.ZeroUntil(new(pfn, extent.End));
                if (absent > pfn)
                {
                    pfn = absent;
                    continue;
                }

                ulong count = Math.Min((ulong)(ChunkBytes >> memory.PageShift), extent.End - pfn);
                Span<byte> bytes = chunk.AsSpan(0, (int)count << memory.PageShift);
                for (int done = 0; done < (int)count;)
                {
                    Span<byte> rest = bytes[(done << memory.PageShift)..];
                    int pages = memory.ReadPages(pfn + (ulong)done, rest);

                    // What is not there reads as zero, and has no note.
                    if (pages == 0)
                        memory.ReadPage(pfn + (ulong)done, rest[..memory.PageSize]);
                    done += Math.Max(pages, 1);
                }

                foreach (int at in Hits(chunk, bytes.Length, memory.Limits.VmcoreInfoCandidates))
                {
                    ulong address = unchecked((pfn << memory.PageShift) + (ulong)(long)at);
                    if (TryRead(memory, address) is not { } text)
                        continue;
                    yield return new(address, text);
                    if (++candidates == memory.Limits.VmcoreInfoCandidates)
                        yield break;
                }

                pfn += count;
            }
        }
    }

    // Offsets of headers; one may begin in the chunk before. Since 4.13 the kernel gives the note pages of its own, before it was a variable.
    private static List<int> Hits(byte[] chunk, int length, int most)
    {
        List<int> hits = [];
        for (int at = 0; at < length;)
        {
            int next = chunk.AsSpan(at, length - at).IndexOf(Name);
            if (next < 0)
                break;
            at += next;
            if (hits.Count < most)
                hits.Add(at - (HeaderBytes - Name.Length));
            at += Name.Length;
        }

        return hits;
    }

    private static byte[]? TryRead(CrashMemory memory, ulong address)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        if (memory.Read(address, header) != MemoryStatus.Ok)
            return null;
        uint name = BinaryPrimitives.ReadUInt32LittleEndian(header), length = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
        if (name != Name.Length - 1 || length == 0 || length > memory.Limits.VmcoreInfoBytes || BinaryPrimitives.ReadUInt32LittleEndian(header[8..]) != 0)
            return null;
        byte[] text = new byte[length];
        return memory.Read(address + HeaderBytes, text) == MemoryStatus.Ok && text.AsSpan().StartsWith("OSRELEASE="u8) ? text : null;
    }
}
