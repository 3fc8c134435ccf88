using Vmcore.Architectures;
using Vmcore.Compression;
using Vmcore.Erasing;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Flattened;
using Vmcore.Formats.Kdump;
using Vmcore.IO;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Resources;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Opening;
using Vmcore.Pmem;

namespace Vmcore;

/// <summary>
/// A dump of a crashed machine: one opening call for every format, which is detected. A filtered dump and a raw one look alike from here on.
/// </summary>
public sealed class CrashDump : IDisposable
{
    private readonly IByteSource _source;
    private readonly CrashDumpOptions _options;
    private readonly List<string> _problems = [];
    private readonly KernelViews _views;
    private readonly Lazy<CrashMemory> _readableMemory;
    private MaskedMemory? _safeMemory;
    private ErasedMemory? _erasedMemory;
    private Utsname? _shownNames;

    private CrashDump(IByteSource source, CrashDumpOptions options)
    {
        _source = source;
        _options = options;
        Memory = null!;
        Architecture = null!;
        _views = new(this, options);
        _readableMemory = new(() => Pmem.UserData.IsEmpty ? SafeMemory : new WithoutPages(SafeMemory, Pmem.UserData));
    }

    /// <summary>Ends the problem of a split dump that is not whole.</summary>
    internal const string MissingParts =
        "a part of a split dump, of which others are missing: their pages cannot be read; name all of its files, or join them with makedumpfile --reassemble";

    /// <summary>The bytes of the file, of a split dump those of the first one given; of a flattened stream those of the file that it describes.</summary>
    internal IByteSource Source => _source;

    /// <summary>The file's name as the user gave it.</summary>
    public string Name => _source.Name;

    /// <summary>The file's format.</summary>
    public DumpFormat Format { get; private set; }

    /// <summary>True if the file is a flattened stream.</summary>
    public bool IsFlattened { get; private set; }

    /// <summary>True if the file is mapped, as only <c>/proc/vmcore</c> is; false if it is read.</summary>
    public bool IsMapped => _source is MappedSource { IsMapped: true };

    /// <summary>True if the file says that it was cut short, is shorter than its headers
    /// say, or has become shorter while it was read (<see cref="HasShrunk"/>).</summary>
    public bool IsIncomplete
    {
        get => field || HasShrunk;
        private set;
    }

    /// <summary>True once a read found that a file has become shorter after it was opened: what was there is gone.</summary>
    public bool HasShrunk => Kdump is { } kdump ? kdump.HasShrunk : _source.HasShrunk;

    /// <summary>The machine's physical memory.</summary>
    public CrashMemory Memory { get; private set; }

    /// <summary>The architecture of the machine that the dump is of.</summary>
    public Architecture Architecture { get; private set; }

    /// <summary>e_machine of <see cref="Architecture"/>.</summary>
    public ElfMachine Machine => Architecture.Machine;

    /// <summary>The PT_LOADs of an ELF file, in file order; empty for other formats.</summary>
    public IReadOnlyList<ElfSegment> Loads { get; private set; } = [];

    /// <summary>The bytes of all notes.</summary>
    public ReadOnlyMemory<byte> NoteArea { get; private set; }

    /// <summary>The notes in <see cref="NoteArea"/>.</summary>
    public IReadOnlyList<ElfNote> Notes { get; private set; } = [];

    /// <summary>The kdump-compressed file; null for other formats.</summary>
    public KdumpFile? Kdump { get; private set; }

    /// <summary>The ELF file; null for other formats.</summary>
    internal ElfCoreFile? Elf { get; private set; }

    /// <summary>vmcoreinfo; null if the dump has none and none was given.</summary>
    public VmcoreInfo? Info { get; private set; }

    /// <summary>The kernel; null if its address space cannot be found.</summary>
    public CrashedKernel? Kernel { get; private set; }

    /// <summary>The memmap; null if it cannot be found.</summary>
    public MemmapReader? Memmap { get; private set; }

    /// <summary>The layout of struct page; null if vmcoreinfo does not give it.</summary>
    public StructPageLayout? PageLayout { get; private set; }

    /// <summary>The kernel's symbols; null if there are none (see <see cref="SymbolsProblem"/>). Read when first asked for.</summary>
    public KernelSymbols? Symbols => _views.Symbols;

    /// <summary>Why there are no <see cref="Symbols"/>, as one clause; null if there are.</summary>
    public string? SymbolsProblem => _views.SymbolsProblem;

    /// <summary>The kernel's own description of its types (BTF); null if there is none (see <see cref="TypesProblem"/>):
    /// <see cref="NamedTypes"/> may have them nevertheless. Read when first asked for.</summary>
    internal BtfTypes? Types => _views.OwnTypes;

    /// <summary>Why the dump's own description of its types cannot be read, as one clause; null if
    /// it can. <see cref="NamedTypes"/> may be there nevertheless, from a vmlinux.</summary>
    public string? TypesProblem => _views.TypesProblem;

    /// <summary>The kernel's resource tree (/proc/iomem); null if it is not in the dump. Read when first asked for.</summary>
    public ResourceTree? Resources => _views.Resources;

    /// <summary>The pmem. Looked for when first asked for.</summary>
    public PmemLayout Pmem => _views.Pmem;

    /// <summary>
    /// The machine's physical memory as it may be shown to others: what the kernel never wrote of a memmap on pmem reads as zero, and what rules erase
    /// reads as erased.
    /// </summary>
    public CrashMemory SafeMemory => _erasedMemory ?? WrittenMemory;

    /// <summary>What rules erase; null if none were applied.</summary>
    public ErasedData? Erased { get; private set; }

    /// <summary>What was erased from the machine's memory, before this dump was written and now: one line each. Empty if nothing was.</summary>
    public string EraseInfo => (Kdump?.EraseInfo ?? EraseInfoNote()) + Erased?.Text;

    /// <summary>The kernel's names as they may be shown: with what rules erase of them erased, but
    /// for what says which kind of machine it is. Null if they cannot be read.</summary>
    public Utsname? ShownNames => _shownNames ?? Kernel?.Utsname;

    private CrashMemory WrittenMemory => Pmem.Unwritten.Count == 0 ? Memory : _safeMemory ??= new(Memory, Pmem.Unwritten);

    /// <summary><see cref="SafeMemory"/> without the user data on pmem, which reads as
    /// if it had been left out: what a reader may show of a raw vmcore.</summary>
    public CrashMemory ReadableMemory => _readableMemory.Value;

    /// <summary>The kernel's address space over <see cref="ReadableMemory"/>; null if there is no <see cref="Kernel"/>.</summary>
    public KernelAddressSpace? VirtualMemory => _views.Memory;

    /// <summary>The kernel's types by their C names: of BTF, with those of its modules, or of the debug
    /// information of <see cref="CrashDumpOptions.Vmlinux"/>. Null if there is neither.</summary>
    public KernelTypes? NamedTypes => _views.Types;

    /// <summary>The modules that were loaded; null without <see cref="Symbols"/> and <see cref="NamedTypes"/>. Read when first asked for.</summary>
    public ModuleList? Modules => _views.Modules;

    /// <summary>Where the variables of each CPU are; null without <see cref="Symbols"/>.</summary>
    public PerCpuAreas? PerCpu => _views.PerCpu;

    /// <summary>The tasks. Read when first asked for.</summary>
    /// <exception cref="MissingInformationException">The kernel's memory, symbols or types are not there.</exception>
    public TaskList Tasks => _views.Tasks;

    /// <summary>Why pages cannot be classified; null if they can.</summary>
    public string? ClassificationProblem { get; private set; }

    /// <summary>What is wrong with the file without keeping it from being read; one sentence each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>What is missing of the dump, as far as that has come to light: a reason for whatever else cannot be read. One sentence, or null.</summary>
    internal string? Loss
    {
        get
        {
            if (_problems.Exists(static p => p.EndsWith(MissingParts, StringComparison.Ordinal)))
                return $"{Name}: {MissingParts}";
            if (HasShrunk)
                return $"{Name}: the file became shorter while it was read";
            if (IsIncomplete)
                return $"{Name}: the dump is not complete: it is marked so, or was cut short";
            return Kdump is { HasLostPages: true }
                ? $"{Name}: pages that the dump should have are not in the file: it was cut short or damaged ('vmcore verify' says where)" : null;
        }
    }

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">Options; null for none.</param>
    /// <exception cref="FileAccessException">The file cannot be opened or read.</exception>
    /// <exception cref="DumpFormatException">The file is of no known format, or damaged beyond use.</exception>
    public static CrashDump Open(string path, CrashDumpOptions? options = null) =>
        Open(MappedSource.OpenBest(path, options?.Mapping ?? MappingChoice.ProcVmcore), options);

    /// <summary>Opens a dump of one or more files: the parts of a split kdump-compressed dump, in any order.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="options">Options; null for none.</param>
    /// <exception cref="FileAccessException">A file cannot be opened or read.</exception>
    /// <exception cref="DumpFormatException">A file is of no known format, or they are not parts of one dump.</exception>
    public static CrashDump Open(IReadOnlyList<string> paths, CrashDumpOptions? options = null)
    {
        ArgumentOutOfRangeException.ThrowIfZero(paths.Count, nameof(paths));
        if (paths.Count == 1)
            return Open(paths[0], options);
        List<IByteSource> sources = [];
        CrashDump? dump = null;
        try
        {
            foreach (string path in paths)
            {
                sources.Add(MappedSource.OpenBest(path, options?.Mapping ?? MappingChoice.ProcVmcore));
                if (FlattenedSource.IsFlattened(sources[^1]))
                    sources[^1] = FlattenedSource.Open(sources[^1]);
            }

            dump = new CrashDump(sources[0], options ?? new());
            dump.OpenKdump(sources);
            dump.OpenKernel();
            return dump;
        }
        catch
        {
            foreach (IByteSource source in sources)
                source.Dispose();
            dump?.Kdump?.Dispose();
            throw;
        }
    }

    /// <summary>Opens a source; the dump owns it from then on.</summary>
    /// <param name="source">The bytes of the file.</param>
    /// <param name="options">Options; null for none.</param>
    /// <exception cref="DumpFormatException">The source is of no known format, or damaged beyond use.</exception>
    public static CrashDump Open(IByteSource source, CrashDumpOptions? options = null)
    {
        bool flattened = false;
        try
        {
            if (FlattenedSource.IsFlattened(source))
            {
                source = FlattenedSource.Open(source);
                flattened = true;
            }

            var dump = new CrashDump(source, options ?? new()) { IsFlattened = flattened };
            if (source is FlattenedSource { IsTruncated: true })
            {
                dump.IsIncomplete = true;
                dump._problems.Add($"{source.Name}: the flattened stream ends without its end record: it is truncated");
            }

            if (ElfCoreFile.IsElf(source))
                dump.OpenElf();
            else if (KdumpHeader.IsKdump(source))
                dump.OpenKdump([source]);
            else
                throw UnknownFormat(source);
            dump.OpenKernel();
            return dump;
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Lets data read as erased from now on, for whoever writes or shows this dump. To be called before anything is.</summary>
    /// <param name="data">What to erase.</param>
    public void Erase(ErasedData data)
    {
        ArgumentNullException.ThrowIfNull(data);
        Erased = data;
        _erasedMemory = data.IsEmpty ? null : new(WrittenMemory, data);
        if (_erasedMemory is null || Kernel is not { Utsname: { } names } kernel)
            return;
        _shownNames = Utsname.TryRead(kernel.Info, kernel.Memory.Over(_erasedMemory)) is { } erased
            ? erased with { SysName = names.SysName, Machine = names.Machine }
            : names;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Kdump?.Dispose();
        _views.Vmlinux?.Dispose();
        _source.Dispose();
    }

    private static DumpFormatException UnknownFormat(IByteSource source)
    {
        byte[] start = new byte[8];
        int read = source.Read(0, start);
        if (start.AsSpan().SequenceEqual("sadump\0\0"u8))
            return new(source.Name, 0, "file format", "a sadump image",
                "an ELF core file, a kdump-compressed file or a flattened stream of one; makedumpfile 1.7 makes one of a sadump image");
        return new(source.Name, 0, "file format", read == 0 ? "an empty file" : $"bytes {Convert.ToHexString(start.AsSpan(0, read))}",
            "an ELF core file, a kdump-compressed file or a flattened stream of one");
    }

    private void OpenElf()
    {
        Format = DumpFormat.Elf;
        ElfCoreFile file = Elf = ElfCoreFile.Open(_source);
        _problems.AddRange(file.Problems);
        IsIncomplete |= (file.Flags & ElfConstants.FlagIncomplete) != 0 || file.IsTruncated;
        Loads = file.Loads;
        NoteArea = file.NoteArea;
        Notes = file.Notes;
        SetInfo(VmcoreInfoNote());
        Architecture = MachineChoice.OfElf(Name, file.Machine, Info);
        var memory = new ElfMemory(file, PageShift());
        Memory = memory;
        if (memory.SharedBytes > 0)
        {
            _problems.Add($"{Name}: PT_LOADs give {memory.SharedBytes} bytes more than the file has, "
                + "by naming the same bytes for several addresses; those are not read");
            IsIncomplete = true;
        }
    }

    private int PageShift()
    {
        int smallest = Architecture.PageShifts[0];
        if (Info?.PageSize is not { } size)
            return smallest;
        int shift = System.Numerics.BitOperations.Log2((uint)size);
        if (Architecture.PageShifts.Contains(shift))
            return shift;
        _problems.Add($"{Name}: vmcoreinfo: PAGESIZE is {size}, but {Architecture.Name} has pages of "
            + $"{string.Join(" or ", Architecture.PageShifts.Select(s => 1 << s))} bytes; ignored");
        return smallest;
    }

    private void OpenKdump(IReadOnlyList<IByteSource> sources)
    {
        Format = DumpFormat.Kdump;
        KdumpFile file = Kdump = KdumpFile.Open(sources, PageCodecs.CreateDecompressor);
        IsIncomplete |= file.IsIncomplete;
        if (file.SubHeader.IsSplit && file.PartRanges.Sum(static r => (long)r.Count) < (long)file.MaxPfn)
        {
            _problems.Add($"{Name}: {MissingParts}");
            IsIncomplete = true;
        }

        NoteArea = file.Notes;
        Notes = ElfNotes.Parse(file.Notes.Span, out string? problem);
        if (problem is not null)
            _problems.Add($"{Name}: {problem}");
        SetInfo(file.VmcoreInfo.Length > 0 ? file.VmcoreInfo : VmcoreInfoNote());
        Architecture = MachineChoice.OfKdump(Name, file.Header.Utsname.Machine, Info);
        Memory = new KdumpCrashMemory(file);
    }

    private string EraseInfoNote()
    {
        foreach (ElfNote note in Notes)
        {
            if (note.Name == ErasedData.NoteName)
                return System.Text.Encoding.Latin1.GetString(note.Descriptor(NoteArea.Span)).TrimEnd('\0');
        }

        return "";
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

    private void SetInfo(ReadOnlyMemory<byte> text)
    {
        // The dump's own text has the addresses of the kernel that ran; another can at best agree with it.
        if (text.Length == 0 && _options.VmcoreInfo is { } given)
            text = given;
        if (text.Length > VmcoreInfo.MaxLength)
        {
            _problems.Add($"{Name}: vmcoreinfo: {text.Length} bytes; only the first {VmcoreInfo.MaxLength} are read");
            text = text[..VmcoreInfo.MaxLength];
        }

        if (text.Length > 0)
            Info = VmcoreInfo.Parse(text.Span);
    }

    private void OpenKernel()
    {
        if (_options.Vmlinux is { } path)
            OpenVmlinux(path);
        if (Info is null)
        {
            ClassificationProblem = $"{Name} doesn't contain vmcoreinfo.";
            return;
        }

        // A description made from a vmlinux does not know where the kernel ran: that is in the dump's memory.
        if ((_options.VmcoreInfo is not null || _views.Vmlinux is not null) && Architecture.IsLinked(Info))
        {
            if (LinkedKernel.TryRelocate(Info, Architecture, Memory, out string? fault) is { } found)
                Info = VmcoreInfo.Parse(found);
            else
                _problems.Add($"{Name}: {fault}");
        }

        Kernel = CrashedKernel.TryOpen(Memory, Info, Architecture, Loads, out string? problem);
        if (problem is not null)
            _problems.Add($"{Name}: {problem}");
        if (Kernel is null)
        {
            ClassificationProblem = $"{Name}: {problem}";
            return;
        }

        try
        {
            PageLayout = StructPageLayout.From(Info);
            Memmap = new(MemoryModel.Detect(Kernel, Memory.PageShift), Kernel.Memory, Memory.PageShift);
        }
        catch (MissingInformationException e)
        {
            ClassificationProblem = $"{Name}: {e.Message}";
        }
    }

    private void OpenVmlinux(string path)
    {
        VmlinuxFile vmlinux = VmlinuxFile.Open(path);
        try
        {
            if (Info is null)
                SetInfo(System.Text.Encoding.Latin1.GetBytes(VmcoreInfoWriter.Write(vmlinux)));
            else if (vmlinux.Mismatch(Info, Name) is { } wrong)
                throw new MissingInformationException(wrong);
            _views.Vmlinux = vmlinux;
        }
        finally
        {
            if (_views.Vmlinux is null)
                vmlinux.Dispose();
        }
    }
}
