using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Formats.Elf;
using Vmcore.IO;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Expressions;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Resources;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Memory;

namespace Vmcore.Kernel;

/// <summary>What a view of a kernel is made of.</summary>
internal sealed record KernelViewSource
{
    /// <summary>The dump's name, for messages.</summary>
    public required string Name { get; init; }

    /// <summary>The physical memory that everything is read from: what may be shown.</summary>
    public required CrashMemory Memory { get; init; }

    /// <summary>The kernel over that memory; null if its address space cannot be found.</summary>
    public CrashedKernel? Kernel { get; init; }

    /// <summary>Why there is none, as a sentence with the dump's name; null if there is.</summary>
    public Finding? KernelProblem { get; init; }

    /// <summary>vmcoreinfo; null if there is none.</summary>
    public VmcoreInfo? VmcoreInfo { get; init; }

    /// <summary>The PT_LOADs of a core file.</summary>
    public IReadOnlyList<ElfSegment> Loads { get; init; } = [];

    /// <summary>The bytes of all notes.</summary>
    public ReadOnlyMemory<byte> NoteArea { get; init; }

    /// <summary>The notes in <see cref="NoteArea"/>.</summary>
    public IReadOnlyList<ElfNote> Notes { get; init; } = [];

    /// <summary>The vmlinux that symbols and types come from; null to take them from the dump. It belongs to whoever opened it.</summary>
    public VmlinuxFile? Vmlinux { get; init; }

    /// <summary>A file of raw BTF that types come from; null for none.</summary>
    public string? BtfFile { get; init; }
}

/// <summary>
/// The crashed kernel as its dump tells of it: vmcoreinfo, memory, symbols, types, modules, per-CPU areas, tasks, resources. Each is read when it is first
/// asked for, all through memory that may be shown. A property is null for what is missing, with the reason in the property beside it that ends in
/// <c>Problem</c>; the method that begins with <c>Require</c> gives the same and throws the reason.
/// </summary>
public sealed class KernelView
{
    private readonly KernelViewSource _source;
    private readonly Lazy<(KernelSymbols? Value, Finding? Problem)> _symbols;
    private readonly Lazy<(BtfTypes? Value, Finding? Problem)> _ownTypes;
    private readonly Lazy<KernelTypes?> _types;
    private readonly Lazy<ModuleList?> _modules;
    private readonly Lazy<PerCpuAreas?> _perCpu;
    private readonly Lazy<(TaskList? Value, Finding? Problem)> _tasks;
    private readonly Lazy<TaskTimes?> _times;
    private readonly Lazy<ResourceTree?> _resources;
    private ExpressionNames? _names;
    private SourceLines? _lines;
    private bool _linesAsked;

    /// <summary>Makes the view; nothing is read yet.</summary>
    /// <param name="source">What it is made of.</param>
    internal KernelView(KernelViewSource source)
    {
        _source = source;
        _symbols = new(LoadSymbols);
        _ownTypes = new(LoadOwnTypes);
        _types = new(LoadTypes);
        _modules = new(() => Types is { } types && Symbols is { } symbols && Memory is { } memory ? ModuleList.Load(memory, symbols, types) : null);
        _perCpu = new(() => Memory is { } memory && Symbols is { } symbols ? PerCpuAreas.TryLoad(memory, symbols) : null);
        _tasks = new(LoadTasks);
        _times = new(() => Memory is { } memory && Symbols is { } symbols && Types is { } types ? TaskTimes.Load(memory, symbols, types, PerCpu) : null);
        _resources = new(LoadResources);
    }

    /// <summary>The dump's name, as the user gave it.</summary>
    public string Name => _source.Name;

    /// <summary>vmcoreinfo; null if there is none.</summary>
    public VmcoreInfo? VmcoreInfo => _source.VmcoreInfo;

    /// <summary>The kernel; null if its address space cannot be found (see <see cref="KernelProblem"/>).</summary>
    public CrashedKernel? Kernel => _source.Kernel;

    /// <summary>Why there is no <see cref="Kernel"/>, and so no <see cref="Memory"/>: one sentence with the dump's name. Null if there is.</summary>
    public Finding? KernelProblem => Kernel is not null ? null
        : _source.KernelProblem ?? new(FindingCode.KernelNotFound, $"{Name}: the kernel's memory cannot be found");

    /// <summary>The machine's physical memory: what may be shown of it.</summary>
    public CrashMemory PhysicalMemory => _source.Memory;

    /// <summary>The bounds on what is believed of what the dump says.</summary>
    public ReadLimits Limits => PhysicalMemory.Limits;

    /// <summary>The kernel's memory by virtual address: what may be shown of it. Null without <see cref="Kernel"/>.</summary>
    public KernelAddressSpace? Memory => Kernel?.Memory;

    /// <summary>The bytes of all notes of the dump.</summary>
    public ReadOnlyMemory<byte> NoteArea => _source.NoteArea;

    /// <summary>The notes in <see cref="NoteArea"/>.</summary>
    public IReadOnlyList<ElfNote> Notes => _source.Notes;

    /// <summary>The kernel's symbols; null if there are none (see <see cref="SymbolsProblem"/>).</summary>
    public KernelSymbols? Symbols => _symbols.Value.Value;

    /// <summary>Why there are no <see cref="Symbols"/>, or not all, as one clause; null if there are.</summary>
    public Finding? SymbolsProblem => _symbols.Value.Problem;

    /// <summary>The kernel's types by their C names: of BTF, with those of its modules, or of the debug information of a vmlinux. Null if there is
    /// neither (see <see cref="TypesProblem"/>).</summary>
    public KernelTypes? Types => _types.Value;

    /// <summary>Why the dump's own description of its types (BTF) cannot be read, as one clause; null if it can. <see cref="Types"/> may be there
    /// nevertheless, from a vmlinux.</summary>
    public Finding? TypesProblem => _ownTypes.Value.Problem is not { } problem ? null
        : _source.Vmlinux is { TypesProblem: { } missing } ? new(FindingCode.TypesMissing, $"{problem}; {missing}") : problem;

    /// <summary>The modules that were loaded; null without <see cref="Symbols"/> and <see cref="Types"/>.</summary>
    public ModuleList? Modules => _modules.Value;

    /// <summary>Where the variables of each CPU are; null without <see cref="Symbols"/>.</summary>
    public PerCpuAreas? PerCpu => _perCpu.Value;

    /// <summary>The tasks; null if they cannot be looked for (see <see cref="TasksProblem"/>).</summary>
    public TaskList? Tasks => _tasks.Value.Value;

    /// <summary>Why there are no <see cref="Tasks"/>: one sentence with the dump's name. Null if there are.</summary>
    public Finding? TasksProblem => _tasks.Value.Problem;

    /// <summary>How long tasks had been in their state, when they started and what they ran; null without <see cref="Symbols"/> and
    /// <see cref="Types"/>.</summary>
    public TaskTimes? Times => _times.Value;

    /// <summary>The kernel's resource tree (/proc/iomem); null if it is not in the dump.</summary>
    public ResourceTree? Resources => _resources.Value;

    /// <summary>Files and lines of the kernel's source, by the debug information of a vmlinux; null without one.</summary>
    public SourceLines? SourceLines
    {
        get
        {
            // No delegate that is made with the view: what nobody asks for is then not in the executable either.
            if (!_linesAsked)
            {
                _linesAsked = true;
                _lines = Kernel is { } kernel && _source.Vmlinux is { } vmlinux ? SourceLines.TryCreate(vmlinux, kernel.VmcoreInfo) : null;
            }

            return _lines;
        }
    }

    /// <summary>The kernel's own BTF; null if there is none.</summary>
    internal BtfTypes? OwnTypes => _ownTypes.Value.Value;

    /// <summary><see cref="Kernel"/>, which must be there.</summary>
    /// <exception cref="MissingInformationException">It is not; the message is <see cref="KernelProblem"/>.</exception>
    public CrashedKernel RequireKernel() => Kernel ?? throw new MissingInformationException($"{KernelProblem}");

    /// <summary><see cref="Memory"/>, which must be there.</summary>
    /// <exception cref="MissingInformationException">It is not; the message is <see cref="KernelProblem"/>.</exception>
    public KernelAddressSpace RequireMemory() => RequireKernel().Memory;

    /// <summary><see cref="Symbols"/>, which must be there.</summary>
    /// <exception cref="MissingInformationException">They are not.</exception>
    public KernelSymbols RequireSymbols() => Symbols ?? throw new MissingInformationException($"{Name}: no symbols: {SymbolsProblem}");

    /// <summary><see cref="Types"/>, which must be there.</summary>
    /// <exception cref="MissingInformationException">They are not.</exception>
    public KernelTypes RequireTypes() => Types ?? throw new MissingInformationException($"{Name}: no types: {TypesProblem ?? KernelProblem}");

    /// <summary><see cref="Tasks"/>, which must be there.</summary>
    /// <exception cref="MissingInformationException">They are not; the message is <see cref="TasksProblem"/>.</exception>
    public TaskList RequireTasks() => Tasks ?? throw new MissingInformationException($"{TasksProblem}");

    /// <summary>Finds out what an expression names: a symbol, <c>init_task.comm</c>, a cast, a calculation: see <see cref="KernelExpression"/>.</summary>
    /// <param name="expression">The expression, which has one value.</param>
    /// <exception cref="KernelObjectException">It is malformed, names what is not there, or stands for several values.</exception>
    /// <exception cref="MissingInformationException">The kernel's memory or its types are not there.</exception>
    public KernelObject Evaluate(string expression) => KernelExpression.Evaluate(expression, Expressions());

    /// <summary>Reads an expression that may stand for several values: those of a list, a tree, or of all CPUs.</summary>
    /// <param name="expression">The expression.</param>
    /// <param name="untyped">The type of variables of which the dump does not say it; null if that is not known either.</param>
    /// <param name="memory">The memory that it is calculated in, for example that of a process; null for the kernel's.</param>
    /// <exception cref="KernelObjectException">It is malformed, or names what is not there.</exception>
    /// <exception cref="MissingInformationException">The kernel's memory or its types are not there.</exception>
    public KernelExpression ParseExpression(string expression, KernelType? untyped = null, IVirtualMemory? memory = null) =>
        KernelExpression.Parse(expression, Expressions(memory) with { Untyped = untyped });

    private KernelExpressionContext Expressions(IVirtualMemory? memory = null)
    {
        _names ??= new(this);
        IVirtualMemory all = memory ?? RequireMemory();
        return new(_names.FreedMemory is { } freed ? new WithoutRange(all, freed) : all, RequireTypes(), _names.AddressOf, cpu => PerCpu?.OffsetOf(cpu))
        {
            Cpus = PerCpu?.Possible ?? [],
            IsPerCpu = _names.IsPerCpu,
        };
    }

    // A kernel may have been built without names of variables: then there are symbols, and no first task.
    private (TaskList? Value, Finding? Problem) LoadTasks()
    {
        if (KernelProblem is { } problem)
            return (null, problem);
        if (Symbols is null)
            return (null, new(FindingCode.TasksMissing, $"{Name}: no symbols: {SymbolsProblem}"));
        if (Types is null)
            return (null, new(FindingCode.TasksMissing, $"{Name}: no types: {TypesProblem}"));
        try
        {
            return (TaskList.Load(Memory!, Symbols, Types, PerCpu, PhysicalMemory.PageShift), null);
        }
        catch (MissingInformationException e)
        {
            return (null, new(FindingCode.TasksMissing, $"{Name}: no tasks: {e.Message}"));
        }
    }

    private (KernelSymbols? Value, Finding? Problem) LoadSymbols()
    {
        if (Kernel is not { } kernel)
            return (null, KernelProblem);
        string? problem;
        KernelSymbols? symbols = _source.Vmlinux is not null
            ? VmlinuxSymbolTable.TryLoad(_source.Vmlinux, kernel.VmcoreInfo, out problem)
            : KernelSymbols.TryLoad(kernel.VmcoreInfo, kernel.Memory, out problem);
        return (symbols?.With(() => Modules), Finding.Of(symbols is null ? FindingCode.SymbolsMissing : FindingCode.SymbolsIncomplete, problem));
    }

    private (BtfTypes? Value, Finding? Problem) LoadOwnTypes()
    {
        if (_source.BtfFile is not null)
        {
            using FileSource source = FileSource.Open(_source.BtfFile);
            BtfTypes? saved = BtfTypes.TryRead(source, out string? fault, Limits);
            fault ??= saved is not null && VmcoreInfo is { } info ? Mismatch(new KernelTypes(saved, () => [], () => null), info) : null;
            fault ??= saved is not null && Symbols is { } known && Memory is { } memory ? BtfSource.Difference(known, memory, source) : null;
            return fault is null ? (saved, null) : (null, new(FindingCode.TypesMissing, $"{_source.BtfFile}: {fault}"));
        }

        if (_source.Vmlinux?.TryReadBtf(out _) is { } linked)
            return (linked, null);
        if (Kernel is not { } kernel)
            return (null, SymbolsProblem);
        string? problem = SymbolsProblem?.ToString();
        BtfTypes? types = Symbols is { } symbols ? BtfTypes.TryLoad(symbols, kernel.Memory, out problem) : null;
        if (types is not null)
            return (types, null);

        // Without the symbols that enclose it, BTF is found by its first bytes in the kernel's image.
        foreach (ElfSegment load in _source.Loads)
        {
            if (kernel.IsImage(load) && load.MemorySize <= kernel.Memory.Limits.BtfScanBytes && load.MemorySize <= ulong.MaxValue - load.VirtualAddress)
                types ??= BtfTypes.TryScan(kernel.Memory, load.VirtualAddress, load.VirtualAddress + load.MemorySize, out _);
        }

        // A filtered dump has no PT_LOADs; where the image is known to its end, that will do.
        if (_source.Loads.Count == 0 && kernel.Image.Length <= kernel.Memory.Limits.BtfScanBytes / 4)
            types ??= BtfTypes.TryScan(kernel.Memory, kernel.Image.Start, kernel.Image.End, out _);
        return (types, types is null ? Finding.Of(FindingCode.TypesMissing, problem) : null);
    }

    // C leaves it to the machine; from 6.2 on the kernel is built with -funsigned-char everywhere (its Makefile).
    private bool IsCharSigned => Kernel is { Architecture.IsCharSigned: true }
        && (VmcoreInfo?.OsRelease is not { } release || KernelRelease.IsBefore(release, 6, 2));

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
        if (_source.Vmlinux is { HasBtf: false } && _source.BtfFile is null && KernelTypes.TryFrom(_source.Vmlinux) is { } debug)
            return debug;
        return OwnTypes is { } types
            ? new(types, () => Symbols is { } symbols ? ModuleList.LoadBtf(memory, symbols, types) : [], () => DwarfTypeFactory.TryCreate(_source.Vmlinux),
                IsCharSigned)
            : null;
    }

    // Where the symbols are not loaded the one name is searched for: loading them costs more.
    private ResourceTree? LoadResources()
    {
        if (Kernel is not { } kernel)
            return null;
        ulong? root = _symbols.IsValueCreated || _source.Vmlinux is not null
            ? Symbols?.TryFindInImage(ResourceTree.RootSymbol)
            : KernelSymbols.TryFindOne(kernel.VmcoreInfo, kernel.Memory, ResourceTree.RootSymbol);
        return root is { } address ? ResourceTree.TryLoad(address, kernel.Memory, types: null, out _) : null;
    }
}
