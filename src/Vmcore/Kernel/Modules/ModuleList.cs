using System.Text;
using Vmcore.Findings;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Modules;

/// <summary>The modules that were loaded: the kernel's list of them, in the order of /proc/modules.</summary>
public sealed class ModuleList : IModuleSymbols
{
    private const int MemoryKinds = 16;

    // Flags as kernels print them; the number is the bit.
    private const string TaintLetters = "GFSRMBUDAWCIOELKXTN";

    private readonly List<KernelModule> _modules = [];

    private readonly Lazy<GeneratedCode> _generated;

    private ModuleList(string? problem, Func<GeneratedCode> generated)
    {
        Problem = Finding.Of(FindingCode.ModulesIncomplete, problem);
        _generated = new(generated);
    }

    /// <summary>The modules.</summary>
    public IReadOnlyList<KernelModule> Modules => _modules;

    /// <summary>One clause on what is missing; null if the list is whole.</summary>
    public Finding? Problem { get; private set; }

    /// <summary>The code that the kernel generated, which has its names behind those of modules.</summary>
    internal GeneratedCode Generated => _generated.Value;

    /// <summary>Finds the module that an address belongs to.</summary>
    /// <param name="address">A virtual address.</param>
    public KernelModule? Find(ulong address) => _modules.FirstOrDefault(m => m.Ranges.Any(r => r.Contains(address)));

    /// <inheritdoc/>
    IEnumerable<KernelSymbol> IModuleSymbols.All() =>
        _modules.SelectMany(static m => m.Symbols.All).Concat(Generated.Pieces.Select(GeneratedCode.SymbolOf));

    /// <inheritdoc/>
    IEnumerable<KernelSymbol> IModuleSymbols.Named(string name) => ((IModuleSymbols)this).All().Where(s => s.Name == name);

    /// <inheritdoc/>
    bool IModuleSymbols.TryResolve(ulong address, out KernelSymbol symbol, out ulong? size)
    {
        symbol = default;
        size = null;
        if (Find(address) is not { } module)
        {
            if (Generated.Find(address) is not { } piece)
                return false;
            symbol = GeneratedCode.SymbolOf(piece);
            size = piece.Range.Length;
            return true;
        }

        if (module.Symbols.Nearest(address, out ulong? next) is not { } found)
            return false;

        // Before 6.4 a module is one block, its code first: neither ends a function behind the code, nor is data behind a function a part of it.
        bool isCode = module.CodeRanges.Any(r => r.Contains(address));
        VirtualRange range = (isCode ? module.CodeRanges : module.Ranges).First(r => r.Contains(address));
        if (!range.Contains(found.Address) || (!isCode && module.CodeRanges.Any(r => r.Contains(found.Address))))
            return false;
        symbol = found;
        size = (next is { } end && range.Contains(end) ? end : range.End) - found.Address;
        return true;
    }

    /// <summary>Reads the list.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="symbols">The symbols of the kernel's image.</param>
    /// <param name="types">The kernel's types.</param>
    internal static ModuleList Load(IVirtualMemory memory, KernelSymbols symbols, KernelTypes types)
    {
        ArgumentNullException.ThrowIfNull(symbols);
        ArgumentNullException.ThrowIfNull(types);
        GeneratedCode Generated() => GeneratedCode.Load(memory, symbols, types);
        KernelType? type = types.FindNamed(KernelTypeKind.Struct, "module");
        if (type?.FindMember("list")?.BitOffset is not { } listOffset)
            return new("the kernel has no type struct module (built without modules)", Generated);
        if (symbols.TryFindInImage("modules") is not { } head)
            return new(symbols.Lacks("modules"), Generated);
        var list = new ModuleList(null, Generated);
        var outcome = new WalkOutcome();
        List<ulong> entries = ListWalk.CircularBothWays(memory, head, memory.Limits.Modules, outcome);
        string? problem = WalkText.OfList(outcome, head, memory.Limits.Modules);
        foreach (ulong entry in entries)
        {
            ulong address = entry - (ulong)(listOffset / 8);
            try
            {
                list._modules.Add(Read(memory, KernelObject.At(memory, type, address)));
            }
            catch (KernelObjectException e)
            {
                problem ??= $"module at 0x{address:x}: {e.Message}";
            }
        }

        list.Problem = Finding.Of(FindingCode.ModulesIncomplete, problem);
        return list;
    }

    /// <summary>The BTF of modules, from the kernel's list of it; those that are not in the dump are left out.</summary>
    internal static IReadOnlyList<byte[]> LoadBtf(IVirtualMemory memory, KernelSymbols symbols, BtfTypes types)
    {
        if (symbols.TryFindInImage("btf_modules") is not { } head
            || types.MemberOffset("btf_module", "list") is not { } list
            || types.MemberOffset("btf_module", "btf") is not { } btf
            || types.MemberOffset("btf", "data") is not { } data
            || types.MemberOffset("btf", "data_size") is not { } size)
        {
            return [];
        }

        List<byte[]> found = [];
        foreach (ulong entry in ListWalk.Circular(memory, head, memory.Limits.Modules, new()))
        {
            if (!memory.TryReadUInt64(entry - (ulong)list + (ulong)btf, out ulong at)
                || !memory.TryReadUInt64(at + (ulong)data, out ulong start)
                || !memory.TryReadUInt32(at + (ulong)size, out uint length) || length > memory.Limits.ModuleBtfBytes)
            {
                continue;
            }

            byte[] bytes = new byte[length];
            if (memory.Read(start, bytes) == MemoryStatus.Ok)
                found.Add(bytes);
        }

        return found;
    }

    /// <summary>Flags as letters, those that are not set left out: <c>POE</c>.</summary>
    internal static string Letters(ulong taints)
    {
        var text = new StringBuilder();
        for (int bit = 0; bit < TaintLetters.Length; bit++)
        {
            if ((taints >> bit & 1) != 0)
                text.Append(bit == 0 ? 'P' : TaintLetters[bit]);
        }

        return text.ToString();
    }

    private static KernelModule Read(IVirtualMemory memory, KernelObject item)
    {
        string name = Text(item.Member("name").ReadBytes());
        if (name.Length == 0)
            throw new KernelObjectException("it has no name");
        List<VirtualRange> code = [], ranges = RangesOf(item, code);
        List<string> users = UsersOf(memory, item, out string? problem);
        return new(name, item, ranges, () => ModuleSymbols.Load(memory, item, name, ranges))
        {
            CodeRanges = code,
            State = item.Member("state").AsUInt64() switch { 0 => "Live", 2 => "Unloading", _ => "Loading" },
            Taints = Letters(item.Member("taints").AsUInt64()),
            References = item.Type.FindMember("refcnt") is null ? null : (int)item.Member("refcnt").Member("counter").AsUInt64() - 1,
            UsedBy = users,
            UsersProblem = Finding.Of(FindingCode.ModuleUsersUnknown, problem),
        };
    }

    // 6.4 split the blocks of a module into one for each kind of memory (enum mod_mem_type: code first, and first of those for the start). What is needed
    // at its start only is there while the module loads; the kernel forgets it when it frees it.
    private static List<VirtualRange> RangesOf(KernelObject item, List<VirtualRange> code)
    {
        const int Text = 0, InitText = 4;
        List<VirtualRange> ranges = [];
        if (item.Type.FindMember("mem") is { } memories && memories.Type.Underlying().Kind == KernelTypeKind.Array)
        {
            for (int i = 0; i < Math.Min(MemoryKinds, memories.Type.Underlying().Length ?? 0); i++)
            {
                KernelObject part = item.Member("mem").Element(i);
                Add(part.Member("base").AsUInt64(), part.Member("size").AsUInt64(), i is Text or InitText ? ulong.MaxValue : 0);
            }
        }
        else if (item.Type.FindMember("core_layout") is not null)
        {
            foreach (string name in (ReadOnlySpan<string>)["core_layout", "init_layout"])
            {
                KernelObject layout = item.Member(name);
                Add(layout.Member("base").AsUInt64(), layout.Member("size").AsUInt64(), layout.Member("text_size").AsUInt64());
            }
        }
        else
        {
            Add(item.Member("module_core").AsUInt64(), item.Member("core_size").AsUInt64(), item.Member("core_text_size").AsUInt64());
            Add(item.Member("module_init").AsUInt64(), item.Member("init_size").AsUInt64(), item.Member("init_text_size").AsUInt64());
        }

        return ranges;

        void Add(ulong start, ulong size, ulong text)
        {
            if (start == 0 || size == 0 || size > item.Memory.Limits.ModuleBytes || start > ulong.MaxValue - size)
                return;
            ranges.Add(new(start, start + size));
            if (text > 0)
                code.Add(new(start, start + Math.Min(text, size)));
        }
    }

    private static List<string> UsersOf(IVirtualMemory memory, KernelObject item, out string? problem)
    {
        List<string> users = [];
        problem = null;
        if (item.Type.FindMember("source_list") is null || item.Member("source_list").Address is not { } head)
            return users;

        // struct module_use: source_list, target_list, source, target. The type is local to one file, but is in BTF of no kernel under another layout.
        const ulong SourceOffset = 32;
        var outcome = new WalkOutcome();
        foreach (ulong entry in ListWalk.CircularBothWays(memory, head, memory.Limits.ModuleUsers, outcome))
        {
            if (memory.TryReadUInt64(entry + SourceOffset, out ulong user) && TryName(memory, item.Type, user) is { } name)
                users.Add(name);
            else
                problem ??= $"the user at 0x{entry:x} cannot be read";
        }

        problem ??= WalkText.OfList(outcome, head, memory.Limits.ModuleUsers);
        return users;
    }

    private static string? TryName(IVirtualMemory memory, KernelType type, ulong address)
    {
        try
        {
            return Text(KernelObject.At(memory, type, address).Member("name").ReadBytes());
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        int nul = bytes.IndexOf((byte)0);
        return string.Concat(Encoding.Latin1.GetString(nul >= 0 ? bytes[..nul] : bytes).Select(c => c is >= ' ' and < (char)0x7f ? c : '?'));
    }
}
