using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Formats.Elf;
using Vmcore.IO;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Cli.Tests.Canaries;

/// <summary>A real crash with pmem in its vmcore, and what is known of it while it is whole.</summary>
internal sealed class CanaryMachine : IDisposable
{
    private readonly FileSource _file;
    private readonly IReadOnlyList<ElfSegment> _loads;
    private readonly KernelAddressSpace _memory;

    internal CanaryMachine(string path)
    {
        _file = FileSource.Open(path);
        using (CrashDump dump = CrashDump.Open(path))
        {
            _loads = dump.Loads;
            List<(long, long)> ranges = [];
            foreach (ElfSegment load in dump.Loads)
            {
                var own = new PfnRange(load.PhysicalAddress >> 12, (load.PhysicalAddress + load.FileSize) >> 12);
                foreach (PfnRange range in dump.Pmem.UserData.Intersect(PfnRangeSet.From([own])))
                {
                    ulong start = load.Offset + (range.Start << 12) - load.PhysicalAddress;
                    ranges.Add(((long)start, (long)(start + (range.Count << 12))));
                }
            }

            Source = new(_file, ranges);
            PfnRange target = dump.Pmem.UserData.Intersect(dump.Coverage.Extents).MaxBy(static r => r.Count);

            // A multiple of 2 MiB, so that a page table entry of any size may name it.
            Canary = ((target.Start << 12) + 0x3fffff) & ~0x1fffffUL;
            Assert.True(target.Contains(Canary >> 12) && target.Contains((Canary >> 12) + 511));
        }

        // The kernel's own page tables, read anew for each question: a patch must not be kept in their cache.
        CrashDump whole = CrashDump.Open(Source);
        _memory = whole.Kernel!.Memory;
        Symbols = whole.VmcoreInfo!.Text.ToArray();
    }

    internal CanarySource Source { get; }

    /// <summary>vmcoreinfo.</summary>
    internal byte[] Symbols { get; }

    /// <summary>Physical address of 2 MiB of canaries.</summary>
    internal ulong Canary { get; }

    /// <summary>Where the kernel maps <see cref="Canary"/>.</summary>
    internal ulong CanaryAddress => VirtualOf(Canary);

    /// <summary>The words in what was read that are pointers of the kernel, by offset in the file.</summary>
    internal IReadOnlyList<long> Pointers(IEnumerable<(long Offset, int Length)> reads)
    {
        var found = new SortedSet<long>();
        byte[] bytes = new byte[4096];
        foreach ((long offset, int length) in reads.Where(static r => r.Length is > 0 and <= 4096).Distinct())
        {
            if (!_loads.Any(l => offset >= (long)l.Offset && offset < (long)(l.Offset + l.FileSize)))
                continue;
            int read = _file.Read(offset, bytes.AsSpan(0, length));
            for (int at = (int)(-offset & 7); at + 8 <= read; at += 8)
            {
                ulong word = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
                if (_memory.IsKernelAddress(word) && _memory.Translate(word).Status == MemoryStatus.Ok)
                    found.Add(offset + at);
            }
        }

        return [.. found];
    }

    /// <summary>The page table entries on the way to an address: where they are in the file, and what makes them name the canaries.</summary>
    internal IEnumerable<(long Offset, ulong Entry, string Level)> Entries(ulong address) =>
        _memory.Walk(address).Select(s => (OffsetOf(s.EntryAddress), (s.Entry & ~0x000f_ffff_ffff_f000UL) | Canary, s.Level));

    /// <summary>Address of a symbol of vmcoreinfo; null if it has none.</summary>
    internal ulong? Symbol(string name)
    {
        string text = Encoding.Latin1.GetString(Symbols);
        int at = text.IndexOf($"SYMBOL({name})=", StringComparison.Ordinal);
        if (at < 0)
            return null;
        string value = text[(at + name.Length + 9)..].Split('\n')[0];
        return ulong.Parse(value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }

    /// <summary>Where the numbers of vmcoreinfo's symbols are in the file.</summary>
    internal IEnumerable<(long Offset, int Length, string Name)> SymbolTexts()
    {
        ElfCoreFile core = ElfCoreFile.Open(_file);
        foreach (ElfNote note in core.Notes.Where(static n => n.Name == "VMCOREINFO"))
        {
            string text = Encoding.Latin1.GetString(note.Descriptor(core.NoteArea.Span));
            long start = (long)core.NoteSegments[0].Offset + note.DescriptorOffset;
            for (int line = 0; line < text.Length; line = text.IndexOf('\n', line) is var end and >= 0 ? end + 1 : text.Length)
            {
                if (!text.AsSpan(line).StartsWith("SYMBOL("))
                    continue;
                int equals = text.IndexOf('=', line), stop = text.IndexOf('\n', line);
                yield return (start + equals + 1, stop - equals - 1, text[line..equals]);
            }
        }
    }

    public void Dispose() => _file.Dispose();

    /// <summary>Offset in the file of a physical address.</summary>
    internal long OffsetOf(ulong physical)
    {
        ElfSegment load = _loads.First(l => physical >= l.PhysicalAddress && physical < l.PhysicalAddress + l.FileSize);
        return (long)(load.Offset + (physical - load.PhysicalAddress));
    }

    private ulong VirtualOf(ulong physical)
    {
        ElfSegment load = _loads.First(l => physical >= l.PhysicalAddress && physical < l.PhysicalAddress + l.FileSize);
        return load.VirtualAddress + (physical - load.PhysicalAddress);
    }
}
