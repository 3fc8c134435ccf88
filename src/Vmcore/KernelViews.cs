using Vmcore.Architectures;
using Vmcore.Formats.Elf;
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
using Vmcore.Pmem;
using Vmcore.Ranges;

namespace Vmcore;

/// <summary>What the kernel of a dump says of itself: symbols, types, modules, tasks, resources, pmem. Each is read when it is first asked for.</summary>
internal sealed class KernelViews
{
    private readonly CrashDump _dump;
    private readonly string? _btfFile;
    private readonly IReadOnlyList<PhysicalRange> _pmemRanges;
    private readonly Lazy<(KernelSymbols? Value, string? Problem)> _symbols;
    private readonly Lazy<(BtfTypes? Value, string? Problem)> _ownTypes;
    private readonly Lazy<KernelTypes?> _types;
    private readonly Lazy<ModuleList?> _modules;
    private readonly Lazy<KernelAddressSpace?> _memory;
    private readonly Lazy<PerCpuAreas?> _perCpu;
    private readonly Lazy<TaskList> _tasks;
    private readonly Lazy<ResourceTree?> _resources;
    private readonly Lazy<PmemLayout> _pmem;

    /// <summary>Makes the views; nothing is read yet.</summary>
    /// <param name="dump">The dump.</param>
    /// <param name="options">How it is opened.</param>
    internal KernelViews(CrashDump dump, CrashDumpOptions options)
    {
        _dump = dump;
        _btfFile = options.BtfFile;
        _pmemRanges = options.PmemRanges;
        _symbols = new(LoadSymbols);
        _ownTypes = new(LoadOwnTypes);
        _types = new(LoadTypes);
        _modules = new(() => Types is { } types && Symbols is { } symbols && Memory is { } memory ? ModuleList.Load(memory, symbols, types) : null);
        _memory = new(() => ReferenceEquals(dump.ReadableMemory, dump.Memory) ? dump.Kernel?.Memory : dump.Kernel?.Memory.Over(dump.ReadableMemory));
        _perCpu = new(() => Memory is { } memory && Symbols is { } symbols ? PerCpuAreas.TryLoad(memory, symbols) : null);
        _tasks = new(LoadTasks);
        _resources = new(LoadResources);
        _pmem = new(FindPmem);
    }

    /// <summary>The vmlinux that symbols and types come from; null to take them from the dump.</summary>
    internal VmlinuxFile? Vmlinux { get; set; }

    /// <summary>The kernel's symbols; null if there are none.</summary>
    internal KernelSymbols? Symbols => _symbols.Value.Value;

    /// <summary>Why there are no <see cref="Symbols"/>, as one clause; null if there are.</summary>
    internal string? SymbolsProblem => _symbols.Value.Problem;

    /// <summary>The kernel's BTF; null if there is none.</summary>
    internal BtfTypes? OwnTypes => _ownTypes.Value.Value;

    /// <summary>Why there is no BTF, as one clause, and if a vmlinux was given, what is missing there; null if there is BTF.</summary>
    internal string? TypesProblem =>
        _ownTypes.Value.Problem is not { } problem ? null : Vmlinux is { TypesProblem: { } missing } ? $"{problem}; {missing}" : problem;

    /// <summary>The kernel's types by name, of BTF or debug information; null if there are none.</summary>
    internal KernelTypes? Types => _types.Value;

    /// <summary>The modules; null without symbols and types.</summary>
    internal ModuleList? Modules => _modules.Value;

    /// <summary>The kernel's address space over what a reader may show; null if there is no kernel.</summary>
    internal KernelAddressSpace? Memory => _memory.Value;

    /// <summary>Where the variables of each CPU are; null without symbols.</summary>
    internal PerCpuAreas? PerCpu => _perCpu.Value;

    /// <summary>The tasks.</summary>
    /// <exception cref="MissingInformationException">The kernel's memory, symbols or types are not there.</exception>
    internal TaskList Tasks => _tasks.Value;

    /// <summary>The kernel's resource tree; null if it is not in the dump.</summary>
    internal ResourceTree? Resources => _resources.Value;

    /// <summary>The pmem, by all that says where it is.</summary>
    internal PmemLayout Pmem => _pmem.Value;

    private (KernelSymbols? Value, string? Problem) LoadSymbols()
    {
        if (_dump.Kernel is not { } kernel)
            return (null, NoMemory());
        string? problem;
        KernelSymbols? symbols = Vmlinux is not null
            ? VmlinuxSymbolTable.TryLoad(Vmlinux, kernel.Info, out problem)
            : KernelSymbols.TryLoad(kernel.Info, kernel.Memory, out problem);
        return (symbols?.With(() => Modules), problem);
    }

    private (BtfTypes? Value, string? Problem) LoadOwnTypes()
    {
        if (_btfFile is not null)
        {
            using FileSource source = FileSource.Open(_btfFile);
            BtfTypes? saved = BtfTypes.TryRead(source, out string? fault);
            fault ??= saved is not null && _dump.Info is { } info ? Mismatch(new KernelTypes(saved, () => [], () => null), info) : null;
            return fault is null ? (saved, null) : (null, $"{_btfFile}: {fault}");
        }

        if (Vmlinux?.TryReadBtf(out _) is { } linked)
            return (linked, null);
        if (_dump.Kernel is not { } kernel)
            return (null, SymbolsProblem);
        string? problem = SymbolsProblem;
        BtfTypes? types = Symbols is { } symbols ? BtfTypes.TryLoad(symbols, kernel.Memory, out problem) : null;
        if (types is not null)
            return (types, null);

        // Without the symbols that enclose it, BTF is found by its first bytes in the kernel's image.
        foreach (ElfSegment load in _dump.Loads)
        {
            if (kernel.Image.Contains(load.VirtualAddress) && load.MemorySize <= BtfTypes.MaxScan && load.MemorySize <= ulong.MaxValue - load.VirtualAddress)
                types ??= BtfTypes.TryScan(kernel.Memory, load.VirtualAddress, load.VirtualAddress + load.MemorySize, out _);
        }

        return (types, types is null ? problem : null);
    }

    /// <summary>BTF of another kernel would be believed, and every answer be wrong: what vmcoreinfo says of structures must be so in it.</summary>
    private static string? Mismatch(KernelTypes types, VmcoreInfo info)
    {
        foreach (string name in (ReadOnlySpan<string>)["zone", "pglist_data", "page", "mem_section"])
        {
            if (info.Size(name) is { } size && types.Find("struct " + name) is { Size: { } found } && (ulong)found != (ulong)size)
                return $"it is of another kernel: struct {name} has {found} bytes in it, {size} in the kernel that crashed";
        }

        foreach ((string type, string member) in (ReadOnlySpan<(string, string)>)[("zone", "vm_stat"),
            ("zone", "free_area"), ("pglist_data", "node_id"), ("page", "lru")])
        {
            if (info.Offset($"{type}.{member}") is { } offset && types.MemberOffset(type, member) is { } found && found != offset)
                return $"it is of another kernel: {type}.{member} is at {found} in it, at {offset} in the kernel that crashed";
        }

        return null;
    }

    private KernelTypes? LoadTypes()
    {
        if (Memory is not { } memory)
            return null;

        // BTF is there at once, and has the types of modules; without it in the vmlinux its debug information was meant.
        if (Vmlinux is { HasBtf: false } && _btfFile is null && KernelTypes.TryFrom(Vmlinux) is { } debug)
            return debug;
        return OwnTypes is { } types
            ? new(types, () => Symbols is { } symbols ? ModuleList.LoadBtf(memory, symbols, types) : [], () => DwarfTypeFactory.TryCreate(Vmlinux)) : null;
    }

    private TaskList LoadTasks()
    {
        if (Memory is not { } memory)
            throw new MissingInformationException(NoMemory());
        KernelSymbols symbols = Symbols ?? throw new MissingInformationException($"{_dump.Name}: no symbols: {SymbolsProblem}");
        KernelTypes types = Types ?? throw new MissingInformationException($"{_dump.Name}: no types: {TypesProblem}");
        return TaskList.Load(memory, symbols, types, PerCpu, _dump.Memory.PageShift);
    }

    private ResourceTree? LoadResources()
    {
        if (_dump.Kernel is not { } kernel)
            return null;

        // The symbols are megabytes: they are not loaded for this one, since a dumper runs in little memory.
        ulong? root = _symbols.IsValueCreated ? Symbols?.TryFindInImage(ResourceTree.RootSymbol)
            : Vmlinux is not null ? LoadSymbols().Value?.TryFindInImage(ResourceTree.RootSymbol)
            : KernelSymbols.TryFindOne(kernel.Info, kernel.Memory, ResourceTree.RootSymbol);
        return root is { } address ? ResourceTree.TryLoad(address, kernel.Memory, types: null, out _) : null;
    }

    private string NoMemory() => _dump.ClassificationProblem ?? $"{_dump.Name}: the kernel's memory cannot be found";

    private PmemLayout FindPmem()
    {
        PmemNote.TryRead(_dump.NoteArea.Span, _dump.Notes, out PfnRangeSet pages, out PfnRangeSet metadata);
        return PmemFinder.Find(new()
        {
            Memory = _dump.Memory,
            Loads = _dump.Loads,
            Kernel = _dump.Kernel,
            Memmap = _dump.Memmap,
            Resources = Resources,
            Forced = _pmemRanges,
            NotedPages = pages,
            NotedMetadata = metadata,
        });
    }
}
