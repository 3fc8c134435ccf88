using Vmcore.Architectures;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Stacks;

/// <summary>What is code, and what the unwind tables (ORC) say of it: of the kernel's image, of its modules, and of what it generates.</summary>
internal sealed class KernelCode
{
    private readonly IVirtualMemory _memory;
    private readonly KernelSymbols _symbols;
    private readonly ModuleList? _modules;
    private readonly OrcLayout? _layout;
    private readonly OrcTable? _orc;
    private readonly Dictionary<string, OrcTable?> _moduleOrc = new(StringComparer.Ordinal);
    private readonly VirtualRange _text;
    private readonly VirtualRange _initText;
    private readonly ulong?[] _calls;

    /// <summary>Finds the code and the tables.</summary>
    /// <param name="name">The dump's name, for messages.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="symbols">The kernel's symbols.</param>
    /// <param name="types">The kernel's types.</param>
    /// <param name="modules">The modules; null if they cannot be found.</param>
    /// <exception cref="MissingInformationException">The symbols do not say where the kernel's code is.</exception>
    internal KernelCode(string name, IVirtualMemory memory, KernelSymbols symbols, KernelTypes types, ModuleList? modules)
    {
        (_memory, _symbols, _modules) = (memory, symbols, modules);
        ulong?[] found = symbols.FindInImage("_stext", "_etext", "_sinittext", "_einittext", "__start_orc_unwind_ip", "__stop_orc_unwind_ip",
            "__start_orc_unwind", "ftrace_regs_call", "ftrace_call");
        _text = found is [{ } start, { } end, ..] && end > start
            ? new(start, end)
            : throw new MissingInformationException($"{name}: the kernel's symbols do not say where its code is");

        // The idle task of the first CPU was called from code that is gone since the start.
        _initText = found is [_, _, { } initStart, { } initEnd, ..] && initEnd > initStart ? new(initStart, initEnd) : default;
        _calls = found[^2..];
        _layout = OrcLayout.TryFrom(types);
        if (_layout is not null && found is [_, _, _, _, { } first, { } stop, { } entries, ..] && stop > first)
        {
            int count = (int)Math.Min((stop - first) / 4, int.MaxValue);
            _layout.LearnNumbers(memory, entries, count);
            _orc = new(memory, _layout, first, entries, count);
        }
    }

    /// <summary>True if the kernel has unwind tables.</summary>
    internal bool HasOrc => _orc is not null;

    /// <summary>Tells whether an address lies in code.</summary>
    internal bool Contains(ulong address) => _text.Contains(address) || _initText.Contains(address)
        || (_modules?.Find(address) is { } module ? module.CodeRanges.Any(r => r.Contains(address)) : _modules?.Generated.Find(address) is not null);

    /// <summary>The start of the function that an address is in; null if it is in none.</summary>
    internal ulong? FunctionAt(ulong address) => Contains(address) && _symbols.TryResolve(address, out KernelSymbol symbol, out _) ? symbol.Address : null;

    /// <summary>Tells whether an address lies in generated code that sets up a frame pointer.</summary>
    internal bool IsFramed(ulong address) => _modules?.Generated.Find(address) is { Kind: GeneratedKind.Bpf };

    /// <summary>The entry for an address.</summary>
    internal OrcEntry FindOrc(ulong address)
    {
        if (_text.Contains(address) || _initText.Contains(address))
            return _orc!.Find(address);
        if (_modules?.Find(address) is { } module)
        {
            if (!_moduleOrc.TryGetValue(module.Name, out OrcTable? table))
                _moduleOrc.Add(module.Name, table = ModuleOrc(module));
            return table?.Find(address) ?? OrcEntry.Unreadable;
        }

        // The copy of an instruction in its slot.
        GeneratedPiece? piece = _modules?.Generated.Find(address);
        if (piece is { Kind: GeneratedKind.Kprobe })
            return _modules!.Generated.OriginOf(address) is { } origin && _modules.Generated.Find(origin) is null ? FindOrc(origin) : OrcEntry.Missing;

        // A copy of ftrace_caller, or of ftrace_regs_caller: all of its calls are made from a stack like that of the call there.
        if (piece is { Kind: GeneratedKind.Ftrace } copy)
            return _calls[copy.SavesRegisters ? 0 : 1] is { } call ? _orc!.Find(call) : OrcEntry.Missing;
        return OrcEntry.Missing;
    }

    private OrcTable? ModuleOrc(KernelModule module)
    {
        try
        {
            KernelObject arch = module.Object.Member("arch");
            int count = (int)Math.Min(arch.Member("num_orcs").AsUInt64(), int.MaxValue);
            return new(_memory, _layout!, arch.Member("orc_unwind_ip").AsUInt64(), arch.Member("orc_unwind").AsUInt64(), count);
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }
}
