using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Modules;

/// <summary>What a piece of generated code is.</summary>
internal enum GeneratedKind
{
    /// <summary>A BPF program, trampoline or dispatcher: it sets up a frame pointer.</summary>
    Bpf,

    /// <summary>A copy of ftrace's caller for one user of ftrace.</summary>
    Ftrace,

    /// <summary>A page of instructions that kprobes execute out of line.</summary>
    Kprobe,
}

/// <summary>A piece of code that the kernel generated.</summary>
/// <param name="Range">Where it is.</param>
/// <param name="Name">Its name in /proc/kallsyms.</param>
/// <param name="Owner">What stands in brackets behind it there.</param>
/// <param name="Kind">What it is.</param>
internal sealed record GeneratedPiece(VirtualRange Range, string Name, string Owner, GeneratedKind Kind)
{
    /// <summary>Of ftrace's: true if it saves all registers.</summary>
    internal bool SavesRegisters { get; init; }
}

/// <summary>The code that the kernel generates while it runs, as its own lists have it; named as in /proc/kallsyms.</summary>
/// <remarks>Source: kernel/bpf/core.c (bpf_kallsyms), kernel/trace/ftrace.c (ftrace_ops_trampoline_list), kernel/kprobes.c (kprobe_insn_slots).</remarks>
internal sealed class GeneratedCode
{
    private const int NameBytes = 512;
    private const ulong SavesRegisters = 1 << 2; // FTRACE_OPS_FL_SAVE_REGS

    private readonly List<GeneratedPiece> _pieces = [];
    private readonly IVirtualMemory _memory;
    private readonly KernelTypes _types;
    private readonly Lazy<KprobeSlots> _slots;

    private GeneratedCode(IVirtualMemory memory, KernelSymbols symbols, KernelTypes types)
    {
        (_memory, _types) = (memory, types);
        _slots = new(() => KprobeSlots.Load(memory, symbols, types));
    }

    /// <summary>The pieces, in the order of their addresses.</summary>
    internal IReadOnlyList<GeneratedPiece> Pieces => _pieces;

    /// <summary>The piece that has an address; null if none has.</summary>
    internal GeneratedPiece? Find(ulong address)
    {
        int low = 0, high = _pieces.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_pieces[middle].Range.Start <= address)
                low = middle + 1;
            else
                high = middle;
        }

        return low > 0 && _pieces[low - 1].Range.Contains(address) ? _pieces[low - 1] : null;
    }

    /// <summary>The address whose instruction a kprobe executes elsewhere, in its slot; null if <paramref name="address"/> is not in a slot.</summary>
    internal ulong? OriginOf(ulong address) => _slots.Value.OriginOf(address);

    /// <summary>Its symbol.</summary>
    internal static KernelSymbol SymbolOf(GeneratedPiece piece) => new(piece.Range.Start, 't', piece.Name, piece.Owner);

    /// <summary>Reads the lists; what a kernel does not have, or the dump has not, is left out.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="symbols">The kernel's symbols.</param>
    /// <param name="types">The kernel's types.</param>
    internal static GeneratedCode Load(IVirtualMemory memory, KernelSymbols symbols, KernelTypes types)
    {
        var code = new GeneratedCode(memory, symbols, types);
        ulong?[] found = symbols.FindInImage("bpf_kallsyms", "ftrace_ops_trampoline_list", "kprobe_insn_slots", "kprobe_optinsn_slots");
        code.Visit(found[0], "bpf_ksym", "lnode", item =>
        {
            ulong start = item.Member("start").AsUInt64();
            if (memory.TryReadCString(item.Member("name").Address ?? 0, NameBytes, out string name))
                code.Add(start, unchecked(item.Member("end").AsUInt64() - start), name, "bpf", GeneratedKind.Bpf);
        });
        code.Visit(found[1], "ftrace_ops", "list", item =>
            code.Add(item.Member("trampoline").AsUInt64(), item.Member("trampoline_size").AsUInt64(), "ftrace_trampoline", "__builtin__ftrace",
                GeneratedKind.Ftrace, (item.Member("flags").AsUInt64() & SavesRegisters) != 0));
        code.AddSlots(found[2], "kprobe_insn_page");
        code.AddSlots(found[3], "kprobe_optinsn_page");
        code._pieces.Sort(static (a, b) => a.Range.Start.CompareTo(b.Range.Start));
        return code;
    }

    private void AddSlots(ulong? cache, string name)
    {
        const ulong Smallest = 4 << 10; // Of pages: larger ones are not named to their ends.
        if (cache is not { } address || _types.FindNamed(KernelTypeKind.Struct, "kprobe_insn_cache")?.FindMember("pages")?.BitOffset is not { } pages)
            return;
        Visit(address + (ulong)(pages / 8), "kprobe_insn_page", "list", item =>
            Add(item.Member("insns").AsUInt64(), Smallest, name, "__builtin__kprobes", GeneratedKind.Kprobe));
    }

    private void Visit(ulong? head, string typeName, string link, Action<KernelObject> visit)
    {
        if (head is not { } list || _types.FindNamed(KernelTypeKind.Struct, typeName) is not { } type || type.FindMember(link)?.BitOffset is not { } offset)
            return;
        foreach (ulong entry in ListWalk.Circular(_memory, list, _memory.Limits.CodePieces, new()))
        {
            try
            {
                visit(KernelObject.At(_memory, type, entry - (ulong)(offset / 8)));
            }
            catch (KernelObjectException)
            {
                // One that cannot be read has no name here; the others have.
            }
        }
    }

    private void Add(ulong start, ulong size, string name, string owner, GeneratedKind kind, bool savesRegisters = false)
    {
        if (_memory.IsKernelAddress(start) && size > 0 && size <= _memory.Limits.CodePieceBytes && start <= ulong.MaxValue - size && name.Length > 0)
            _pieces.Add(new(new(start, start + size), name, owner, kind) { SavesRegisters = savesRegisters });
    }
}
