using System.Numerics;
using Vmcore.Architectures;
using Vmcore.Compression;
using Vmcore.Findings;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Flattened;
using Vmcore.Formats.Images;
using Vmcore.Formats.Kdump;
using Vmcore.IO;
using Vmcore.Kernel.Identity;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Opening;

/// <summary>
/// The file of a dump: its format is detected, and from there on every format looks alike: memory, notes, PT_LOADs, vmcoreinfo, and whether it is whole.
/// </summary>
internal sealed class DumpFile : IDisposable
{
    private readonly CrashDumpOptions _options;
    private readonly List<Finding> _problems = [];

    private DumpFile(IByteSource source, CrashDumpOptions options)
    {
        _options = options;
        Source = source;
        Unfiltered = null!;
        Architecture = null!;
    }

    /// <summary>The bytes of the file, of a split dump those of the first one given; of a flattened stream those of the file that it describes.</summary>
    internal IByteSource Source { get; }

    internal string Name => Source.Name;

    internal DumpFormat Format { get; private set; }

    internal bool IsFlattened { get; private init; }

    /// <summary>True if the file says that it was cut short, is shorter than its headers say, or has become shorter while it was read.</summary>
    internal bool IsIncomplete
    {
        get => field || HasShrunk;
        private set;
    }

    internal bool HasShrunk => Kdump is { } kdump ? kdump.HasShrunk : Source.HasShrunk;

    /// <summary>The machine's physical memory with all that the file has of it, user data of pmem included.</summary>
    internal CrashMemory Unfiltered { get; private set; }

    /// <summary>The machine's architecture. An image of RAM does not say it: null until its kernel is found.</summary>
    internal Architecture Architecture { get; private set; }

    /// <summary>True for images of RAM, which say nothing of the machine.</summary>
    internal bool IsImage => Format is DumpFormat.Raw or DumpFormat.Lime;

    internal IReadOnlyList<ElfSegment> Loads { get; private set; } = [];

    internal ReadOnlyMemory<byte> NoteArea { get; private set; }

    internal IReadOnlyList<ElfNote> Notes { get; private set; } = [];

    internal KdumpFile? Kdump { get; private set; }

    internal ElfCoreFile? Elf { get; private set; }

    /// <summary>vmcoreinfo: the file's own, or what stands in for it; null if there is none.</summary>
    internal VmcoreInfo? VmcoreInfo { get; private set; }

    /// <summary>True if vmcoreinfo is the file's own.</summary>
    internal bool HasOwnVmcoreInfo { get; private set; }

    internal IReadOnlyList<Finding> Problems => _problems;

    /// <summary>What is missing of the file, as far as that has come to light; null if nothing has.</summary>
    internal Finding? Loss
    {
        get
        {
            if (_problems.Find(static p => p.Code == FindingCode.PartsMissing) is { } parts)
                return parts;
            if (HasShrunk)
                return new(FindingCode.FileShrank, Name);
            if (IsIncomplete)
                return new(FindingCode.Incomplete, Name);
            return Kdump is { HasLostPages: true } ? new(FindingCode.PagesOutsideFile, Name) : null;
        }
    }

    /// <summary><see cref="Loss"/>, if something that is missing was asked for; null if all that was asked for is there.</summary>
    internal Finding? LossMet => HasShrunk || Kdump is { HasLostPages: true } || Unfiltered is ElfMemory { HasLostPages: true } ? Loss : null;

    /// <summary>Opens the file or files by name.</summary>
    /// <param name="paths">At least one file; several are the parts of a split kdump-compressed dump, in any order.</param>
    /// <param name="options">How to open them.</param>
    /// <exception cref="FileAccessException">A file cannot be opened or read, or is there twice.</exception>
    /// <exception cref="DumpFormatException">A file is of no known format, or they are not parts of one dump.</exception>
    internal static DumpFile Open(IReadOnlyList<string> paths, CrashDumpOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfZero(paths.Count, nameof(paths));
        if (options.RawAddresses.Count > 0)
            return OpenRaw(paths, options);
        if (paths.Count == 1)
            return Open(MappedSource.OpenBest(paths[0], options.Mapping), options);
        FileIdentity.RequireDistinct(paths);
        List<IByteSource> sources = [];
        DumpFile? file = null;
        try
        {
            foreach (string path in paths)
            {
                sources.Add(MappedSource.OpenBest(path, options.Mapping));
                if (FlattenedSource.IsFlattened(sources[^1]))
                    sources[^1] = FlattenedSource.Open(sources[^1], options.Limits);
            }

            foreach (IByteSource source in sources.Where(static s => !KdumpHeader.IsKdump(s)))
            {
                throw ElfCoreFile.IsElf(source)
                    ? new DumpFormatException(source.Name, 0, "file format", "an ELF core file",
                        "the parts of one split kdump-compressed dump: only these are given together")
                    : UnknownFormat(source);
            }

            file = new(sources[0], options);
            file.OpenKdump(sources, options);
            return file;
        }
        catch
        {
            foreach (IByteSource source in sources)
                source.Dispose();
            file?.Kdump?.Dispose();
            throw;
        }
    }

    /// <summary>Opens a source, which the result owns from then on; it is closed if it cannot be opened.</summary>
    /// <param name="source">The bytes of the file.</param>
    /// <param name="options">How to open it.</param>
    /// <exception cref="DumpFormatException">The source is of no known format, or damaged beyond use.</exception>
    internal static DumpFile Open(IByteSource source, CrashDumpOptions options)
    {
        bool flattened = false;
        try
        {
            if (FlattenedSource.IsFlattened(source))
            {
                source = FlattenedSource.Open(source, options.Limits);
                flattened = true;
            }

            var file = new DumpFile(source, options) { IsFlattened = flattened };
            if (source is FlattenedSource { IsTruncated: true })
            {
                file.IsIncomplete = true;
                file.AddProblem(FindingCode.StreamTruncated);
            }

            if (ElfCoreFile.IsElf(source))
                file.OpenElf(options);
            else if (KdumpHeader.IsKdump(source))
                file.OpenKdump([source], options);
            else if (LimeFormat.IsLime(source))
                file.OpenLime(options);
            else
                throw UnknownFormat(source);
            return file;
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Takes text for vmcoreinfo where the file has none.</summary>
    /// <param name="text">The text.</param>
    /// <param name="architecture">The architecture of its kernel.</param>
    internal void SetVmcoreInfo(ReadOnlyMemory<byte> text, Architecture architecture)
    {
        SetVmcoreInfo(text);
        Architecture = architecture;

        // It may say that pages are larger than the smallest.
        if (Elf is { } file && PageShift() is var shift && shift != Unfiltered.PageShift)
            Unfiltered = new ElfMemory(file, shift);
    }

    /// <summary>Leaves of an image no other memory than this.</summary>
    /// <param name="memory">What the kernel has as memory, in bytes, ascending, without overlaps. What of it the image lacks is missing from now on.</param>
    internal void Restrict(IReadOnlyList<PhysicalRange> memory)
    {
        ulong lacking = 0;
        List<ElfSegment> kept = [];
        foreach (PhysicalRange range in memory)
        {
            ulong at = range.Start;
            foreach (ElfSegment load in Loads.OrderBy(static l => l.PhysicalAddress))
            {
                ulong start = Math.Max(load.PhysicalAddress, at), end = Math.Min(load.PhysicalAddress + load.FileSize, range.End);
                if (start >= end)
                    continue;
                Lack(start);
                kept.Add(ElfSegment.OfMemory(start, end - start, (long)(load.Offset + (start - load.PhysicalAddress))));
                at = end;
            }

            Lack(range.End);

            void Lack(ulong end)
            {
                if (at >= end)
                    return;
                kept.Add(ElfSegment.OfMemory(at, end - at, offset: null));
                lacking += end - at;
            }
        }

        foreach (ElfSegment load in Loads)
        {
            if (!memory.Any(r => r.Start < load.PhysicalEnd && r.End > load.PhysicalAddress))
                AddProblem(FindingCode.ImageNotMemory, load.PhysicalAddress, load.PhysicalEnd);
        }

        if (lacking > 0)
        {
            AddProblem(FindingCode.ImageLacksMemory, lacking);
            IsIncomplete = true;
        }

        Elf = ElfCoreFile.Of(Source, kept, _options.Limits);
        Loads = Elf.Loads;
        Unfiltered = new ElfMemory(Elf, Unfiltered.PageShift);
    }

    private void SetVmcoreInfo(ReadOnlyMemory<byte> text)
    {
        if (text.Length > _options.Limits.VmcoreInfoBytes)
        {
            AddProblem(FindingCode.VmcoreInfoTooLong, text.Length, _options.Limits.VmcoreInfoBytes);
            text = text[.._options.Limits.VmcoreInfoBytes];
        }

        if (text.Length > 0)
            VmcoreInfo = VmcoreInfo.Parse(text.Span);
    }

    /// <summary>Notes what is wrong without keeping the file from being read.</summary>
    /// <param name="code">What it is.</param>
    /// <param name="parameters">The parameters behind the file's name.</param>
    internal void AddProblem(FindingCode code, params object[] parameters) => _problems.Add(new(code, [Name, .. parameters]));

    /// <inheritdoc/>
    public void Dispose()
    {
        Kdump?.Dispose();
        Source.Dispose();
    }

    private static DumpFormatException UnknownFormat(IByteSource source)
    {
        byte[] start = new byte[ForeignFormat.HeadBytes];
        int read = source.Read(0, start);
        if (ForeignFormat.Name(start.AsSpan(0, read)) is var (found, expected))
            return new(source.Name, 0, "file format", found, expected);
        return new(source.Name, 0, "file format", read == 0 ? "an empty file" : $"bytes {Convert.ToHexString(start.AsSpan(0, Math.Min(read, 8)))}",
            "an ELF core file, a kdump-compressed file or a flattened stream of one");
    }

    private static DumpFile OpenRaw(IReadOnlyList<string> paths, CrashDumpOptions options)
    {
        if (paths.Count != options.RawAddresses.Count)
            throw new ArgumentException("one address for each file", nameof(options));
        FileIdentity.RequireDistinct(paths);
        List<IByteSource> sources = [];
        try
        {
            List<ElfSegment> pieces = [];
            long offset = 0;
            for (int i = 0; i < paths.Count; i++)
            {
                sources.Add(MappedSource.OpenBest(paths[i], options.Mapping));
                ulong address = options.RawAddresses[i], size = (ulong)sources[i].Length;
                if (size == 0)
                    throw new DumpFormatException(paths[i], 0, "raw image", "an empty file", "the content of RAM");
                if (address > ElfCoreFile.PhysicalEnd || size > ElfCoreFile.PhysicalEnd - address)
                    throw new DumpFormatException(paths[i], 0, "raw image", $"an address of 0x{address:x} for 0x{size:x} bytes", "addresses below 2^52");
                if (pieces.Find(p => p.PhysicalAddress < address + size && p.PhysicalEnd > address) is { } other)
                    throw new DumpFormatException(paths[i], 0, "raw image", $"addresses from 0x{address:x} on, which overlap those of another piece "
                        + $"(0x{other.PhysicalAddress:x} to 0x{other.PhysicalEnd:x})", "addresses of its own");
                pieces.Add(ElfSegment.OfMemory(address, size, offset));
                offset += sources[i].Length;
            }

            var file = new DumpFile(sources.Count == 1 ? sources[0] : new JoinedSource(sources), options);
            file.OpenImage(DumpFormat.Raw, pieces, options);
            return file;
        }
        catch
        {
            foreach (IByteSource source in sources)
                source.Dispose();
            throw;
        }
    }

    private void OpenLime(CrashDumpOptions options)
    {
        OpenImage(DumpFormat.Lime, LimeFormat.Read(Source, options.Limits, out bool isTruncated), options);
        IsIncomplete |= isTruncated || Elf!.IsTruncated;
    }

    private void OpenImage(DumpFormat format, IReadOnlyList<ElfSegment> ranges, CrashDumpOptions options)
    {
        Format = format;
        Elf = ElfCoreFile.Of(Source, ranges, options.Limits);
        _problems.AddRange(Elf.Problems);
        Loads = Elf.Loads;
        SetOwnOrGiven(default, options);
        Architecture = VmcoreInfo is null ? null! : Architecture.ProvenBy(VmcoreInfo)!;
        const int AnyPageShift = 12;
        Unfiltered = new ElfMemory(Elf, Architecture is null ? AnyPageShift : PageShift());
    }

    private void OpenElf(CrashDumpOptions options)
    {
        Format = DumpFormat.Elf;
        ElfCoreFile file = Elf = ElfCoreFile.Open(Source, options.Limits);
        _problems.AddRange(file.Problems);
        IsIncomplete |= (file.Flags & ElfConstants.FlagIncomplete) != 0 || file.IsTruncated;
        Loads = file.Loads;
        NoteArea = file.NoteArea;
        Notes = file.Notes;
        Report(file.LargeNotes);
        SetOwnOrGiven(VmcoreInfoNote(), options);
        Architecture = MachineChoice.OfElf(Name, file.Machine, VmcoreInfo);
        var memory = new ElfMemory(file, PageShift());
        Unfiltered = memory;
        if (memory.SharedBytes > 0)
        {
            AddProblem(FindingCode.SegmentsShareBytes, memory.SharedBytes);
            IsIncomplete = true;
        }
    }

    private int PageShift()
    {
        int smallest = Architecture.PageShifts[0];
        if (VmcoreInfo?.PageSize is not { } size)
            return smallest;
        int shift = BitOperations.Log2((uint)size);
        if (Architecture.PageShifts.Contains(shift))
            return shift;
        AddProblem(FindingCode.PageSizeImpossible, size, Architecture.Name, string.Join(" or ", Architecture.PageShifts.Select(s => 1 << s)));
        return smallest;
    }

    private void OpenKdump(IReadOnlyList<IByteSource> sources, CrashDumpOptions options)
    {
        Format = DumpFormat.Kdump;
        KdumpFile file = Kdump = KdumpFile.Open(sources, PageCodecs.CreateDecompressor, options.Limits);
        IsIncomplete |= file.IsIncomplete;
        if (file.SubHeader.IsSplit && file.PartRanges.Sum(static r => (long)r.Count) < (long)file.MaxPfn)
        {
            AddProblem(FindingCode.PartsMissing, string.Join(", ", file.PartRanges), file.MaxPfn);
            IsIncomplete = true;
        }

        NoteArea = file.Notes;
        Notes = file.NoteList;
        Report(file.LargeNotes);
        if (file.NotesProblem is { } problem)
            AddProblem(FindingCode.KdumpNotesDamaged, problem);
        SetOwnOrGiven(file.VmcoreInfo.Length > 0 ? file.VmcoreInfo : VmcoreInfoNote(), options);
        Architecture = MachineChoice.OfKdump(Name, file.Header.Utsname.Machine, VmcoreInfo);
        Unfiltered = new KdumpCrashMemory(file);
    }

    // Nothing is lost without a word.
    private void Report(IReadOnlyList<LargeNote> notes)
    {
        const int Most = 100;
        foreach (LargeNote note in notes.Take(Most))
            AddProblem(FindingCode.NoteSteppedOver, note.Name, note.Type, note.FileOffset, note.Length);
    }

    // The dump's own text has the addresses of the kernel that ran; another can at best agree with it.
    private void SetOwnOrGiven(ReadOnlyMemory<byte> own, CrashDumpOptions options)
    {
        HasOwnVmcoreInfo = own.Length > 0;
        SetVmcoreInfo(HasOwnVmcoreInfo ? own : options.VmcoreInfo ?? own);
    }

    private ReadOnlyMemory<byte> VmcoreInfoNote()
    {
        foreach (ElfNote note in Notes)
        {
            if (note.Name == "VMCOREINFO")
                return NoteArea.Slice(note.DescriptorOffset, note.DescriptorLength);
        }

        return default;
    }
}
