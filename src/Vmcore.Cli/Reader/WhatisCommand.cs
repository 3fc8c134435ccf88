using System.CommandLine;
using System.Globalization;
using System.Text;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Cli.Reader.Pmem;
using Vmcore.Findings;
using Vmcore.Kernel.Addresses;
using Vmcore.Kernel.Slab;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore whatis FILE ADDRESS…</c></summary>
internal static class WhatisCommand
{
    internal static Command Create()
    {
        var address = new Argument<string[]>("ADDRESS")
        {
            Description = "Virtual addresses, symbols, or expressions; with --physical physical addresses.",
            Arity = ArgumentArity.OneOrMore,
        };
        var physical = new Option<bool>("--physical", "-p") { Description = "The addresses are physical ones." };
        var pid = NumberOption.Create("--pid", "PID", "The addresses are of this process, not of the kernel.", int.MaxValue);
        return new ReaderCommand("whatis",
            "Say what an address is: an object of a slab cache and whether it is in use, a stack, a variable, code, a page and whose.",
            context => !CodeFeature.IsIncluded ? CodeFeature.Refuse("whatis")
                : Run(context, context.Parsed.GetRequiredValue(address), context.Parsed.GetValue(physical), context.Parsed.GetValue(pid)), hasWords: true)
        {
            address, physical, pid,
        };
    }

    private static int Run(ReaderContext context, string[] words, bool isPhysical, int? pid)
    {
        if (isPhysical && pid is not null)
            throw new VmcoreException("--physical and --pid: an address is a physical one, or one of a process");
        AddressFinder finder = context.Dump.OpenAddresses();
        KernelTask? task = pid is { } number ? context.TaskOf(number) : null;
        List<WhatisInfo> all = [];
        var text = new StringBuilder();
        foreach (string word in words)
        {
            // What is wrong with one word takes nothing from the others.
            if (TryValue(context, word, isPhysical) is not { } value)
                continue;
            AddressFacts facts = isPhysical ? finder.FindPhysical(value) : task is null ? finder.Find(value) : finder.Find(task, value);
            context.Gap(facts.Problems);
            WhatisInfo info = WhatisInfo.From(context, word, value, facts);
            all.Add(info);
            text.Append(text.Length > 0 ? "\n" : "").Append(context.Style.Bold(info.Title)).Append('\n');
            foreach (string line in info.Words)
                text.Append("   ").Append(line).Append('\n');
        }

        if (context.IsJson)
            context.WriteJson(new WhatisAnswer { Addresses = all });
        else
            ReaderContext.Write(text.ToString());
        return 0;
    }

    private static ulong? TryValue(ReaderContext context, string word, bool isPhysical)
    {
        try
        {
            return !isPhysical ? context.AddressOf(word) : ReaderContext.TryNumber(word, out ulong place) ? place
                : throw new KernelObjectException($"'{word}' is no physical address: expected a number, decimal or 0x...");
        }
        catch (VmcoreException e) when (e is KernelObjectException or MissingInformationException)
        {
            context.Gap(new Finding(FindingCode.ExpressionFailed, e.Message));
            return null;
        }
    }
}

/// <summary>The answer of <c>vmcore whatis --json</c>.</summary>
internal sealed record WhatisAnswer : ReaderAnswer
{
    public IReadOnlyList<WhatisInfo> Addresses { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json) => json.Put(Addresses);
}

/// <summary>What is known of an address, and the same in words.</summary>
internal sealed class WhatisInfo : IJsonItem
{
    private readonly AddressFacts _facts;
    private readonly ReaderContext _context;
    private readonly string _asked;
    private readonly List<string> _words = [];
    private PmemPageAnswer? _page;

    private WhatisInfo(ReaderContext context, string asked, string title, AddressFacts facts) =>
        (_context, _asked, Title, _facts) = (context, asked, title, facts);

    internal string Title { get; }

    internal IReadOnlyList<string> Words => _words;

    internal static WhatisInfo From(ReaderContext context, string asked, ulong value, AddressFacts facts)
    {
        string shown = value.ToString("x16", CultureInfo.InvariantCulture);
        bool isSame = ReaderContext.TryNumber(asked, out _);
        var info = new WhatisInfo(context, asked, isSame ? shown : $"{shown}  {asked}", facts);
        info.Explain();
        return info;
    }

    private void Explain()
    {
        if (_facts.Pattern is { } pattern)
            _words.Add(pattern);
        if (_facts.Alias is { } alias)
            _words.Add($"another name of {Hex(alias)}, in the kernel's image");
        if (_facts.Former is { } former)
            _words.Add($"no longer {former.Name} of the kernel's image: that was init memory, which the kernel freed after boot");
        Code();
        Objects();
        if (_facts.Stack is { } stack)
        {
            string whose = stack.Task is { } task ? $"the stack of {TaskText(task)}"
                : $"the stack {stack.Name ?? "for interrupts or exceptions"} of CPU {stack.Cpu}";
            _words.Add($"on {whose}, {Hex(_facts.KnownBy!.Value - stack.Range.Start)} from its start ({stack.Range.Length} bytes)");
        }

        if (_facts.PerCpu is { } place)
            _words.Add(PerCpuText(place));
        if (_facts.Area is { } area)
            _words.Add(AreaText(area));
        if (_facts.DescribedPage is { } pfn)
        {
            _words.Add($"{Sizes.Count(_facts.DescribedOffset, "byte")} into the struct page of page {Sizes.Hex(pfn)}");
            _words.AddRange(PageOf(pfn).Words);
        }

        Mapping();
        Physical();
    }

    private void Code()
    {
        string? module = _facts.Module?.Name ?? _facts.Symbol?.Module;
        string where = module is null ? "the kernel" : _facts.Module is null ? module : $"the module {module}";
        if (_facts.Symbol is { } symbol)
            _words.Add(string.Create(CultureInfo.InvariantCulture, $"{symbol.Name}+0x{_facts.SymbolOffset:x}, {_facts.Part ?? "generated code"} of {where}"));
        else if (_facts.Module is not null || _facts.Part is not null)
            _words.Add($"{_facts.Part ?? "memory"} of {where}; no symbol has it");
    }

    private void Objects()
    {
        if (_facts.Object is not { } item)
            return;
        ulong at = _facts.KnownBy!.Value;
        string where = at < item.Address ? $"in front of it, {item.Address - at} bytes"
            : at - item.Address < item.Cache.ObjectSize ? Sizes.Count(at - item.Address, "byte") + " into it"
            : $"behind it, {at - item.Address} bytes from its start";
        _words.Add($"slab cache {item.Cache.Name}, object {Hex(item.Address)} of {item.Cache.ObjectSize} bytes, {where}");
        string number = $"number {item.Index} " + (_facts.Slab is { } slab ? $"of {slab.Objects} in the slab at {Hex(slab.Start)}" : "in its slab");
        string state = _facts.State switch { SlabObjectState.InUse => "in use", SlabObjectState.Free => "free", _ => "whether it is in use is not known" };
        _words.Add(_facts.Slab is { } known && item.Index >= known.Objects ? "no object: it lies behind the last one of its slab" : $"{state}, {number}");
        if (_facts.Task is { } task)
            _words.Add($"the task_struct of {TaskText(task)}");
    }

    private static string PerCpuText(PerCpuPlace place)
    {
        string what = place.Variable is { } name ? string.Create(CultureInfo.InvariantCulture, $"{name}+0x{place.Offset:x}")
            : place.IsAllocated is not { } used ? "no variable has it"
            : $"{Sizes.Count(place.Offset, "byte")} into memory that {(used ? "was allocated" : "is free")}";
        return $"memory of CPU {place.Cpu}: {what}{(place.Module is { } module ? $" of the module {module}" : "")} (per-CPU pointer {Hex(place.Pointer)})";
    }

    private string AreaText(VmallocArea area)
    {
        string kinds = area.Structure == 0 ? "vm_map_ram" : area.Kinds.Count == 0 ? "vmalloc area" : string.Join(", ", area.Kinds);
        return $"{kinds}: {Hex(area.Range.Start)}-{Hex(area.Range.End)} ({Sizes.Text(area.Range.Length)})"
            + (area.Caller == 0 ? "" : $", asked for by {_context.SymbolAt(area.Caller) ?? Hex(area.Caller)}")
            + (area.Device == 0 ? "" : $", device memory at {Hex(area.Device)}");
    }

    private void Mapping()
    {
        if (_facts.Mapping is not { } mapping)
            return;
        string what = mapping.File == 0 ? "memory without a file" : $"{mapping.Path ?? "a file whose path is not in the dump"} at {Hex(mapping.FileOffset)}";
        _words.Add($"mapped by the process: {Hex(mapping.Range.Start)}-{Hex(mapping.Range.End)} {mapping.Permissions}, {what}");
    }

    private void Physical()
    {
        if (_facts.Physical is not { } physical)
        {
            if (_facts is { Pattern: null } or { Area: not null })
            {
                string clause = _facts is { Pattern: null, Address: { } address } ? ReaderContext.ClauseOf(address, isPhysical: false) : "";
                _words.Add($"no memory there: {MemoryStatusText.Of(_facts.Status)}{clause}");
            }

            return;
        }

        if (_facts is { IsDirectMap: true, Alias: null })
            _words.Add("in the kernel's map of all memory");
        _page = PageOf(physical >> _context.Dump.Memory.PageShift);
        _words.AddRange(_page.Words);
    }

    private PmemPageAnswer PageOf(ulong pfn)
    {
        PmemPageAnswer page = PageExplainer.Explain(_context.Dump, pfn, out IReadOnlyList<Finding> gaps);
        _context.Gap(gaps);

        // Of memory that is none of pmem the first sentence says only that.
        return page.Kind != "not_pmem" ? page
            : page with { Words = [$"Page {Hex(pfn)} (physical address {Hex(page.Address)}).", .. page.Words.Skip(1)] };
    }

    private static string TaskText(KernelTask task) => string.Create(CultureInfo.InvariantCulture, $"PID {task.Pid} \"{task.Name}\"");

    private static string Hex(ulong value) => Sizes.Hex(value);

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(_asked, "Asked");
        json.PutAddress(_facts.Address);
        json.PutAddress(_facts.Physical);
        json.Put(MemoryStatusText.Of(_facts.Status), "Status");
        json.Put(_facts.IsDirectMap, "DirectMap");
        json.PutAddress(_facts.Alias);
        json.Put(_facts.Former?.Name, "FormerSymbol");
        json.Put(_facts.Pattern);
        json.Put(_facts.Symbol?.Name, "Symbol");
        json.Put(_facts.Symbol is null ? null : _facts.SymbolOffset, "SymbolOffset");
        json.Put(_facts.Part);
        json.Put(_facts.Module?.Name ?? _facts.Symbol?.Module, "Module");
        json.Put(_facts.Object is null ? null : new Member(WriteObject), "Object");
        json.Put(_facts.Stack is null ? null : new Member(WriteStack), "Stack");
        json.Put(_facts.PerCpu is null ? null : new Member(WritePerCpu), "PerCpu");
        json.Put(_facts.Area is null ? null : new Member(WriteArea), "Vmalloc");
        json.Put(_facts.DescribedPage is null ? null : new Member(WriteStruct), "StructPage");
        json.Put(_facts.Mapping is null ? null : new Member(WriteMapping), "Mapping");
        json.Put(_page is null ? null : new Member(WritePage), "Page");
        json.Put(_words, "Words");
    }

    private void WriteObject(JsonText json)
    {
        SlabObject item = _facts.Object!;
        json.Put(item.Cache.Name, "Cache");
        json.PutAddress(item.Cache.Address, "CacheAddress");
        json.PutAddress(item.Address);
        json.Put(item.Cache.ObjectSize);
        json.Put((long)(_facts.KnownBy!.Value - item.Address), "Offset");
        json.Put(item.Index);
        json.Put(SlabCommand.WordOf(_facts.State), "State");
        json.PutAddress(_facts.Slab?.Start, "Slab");
        json.Put(_facts.Slab?.Objects, "Objects");
        WriteTask(json, _facts.Task);
    }

    private void WriteStack(JsonText json)
    {
        StackPlace stack = _facts.Stack!;
        json.PutAddress(stack.Range.Start);
        json.PutAddress(stack.Range.End);
        WriteTask(json, stack.Task);
        json.Put(stack.Cpu);
        json.Put(stack.Name);
    }

    private static void WriteTask(JsonText json, KernelTask? task)
    {
        json.Put(task?.Pid, "Pid");
        json.Put(task?.Name, "TaskName");
    }

    private void WritePerCpu(JsonText json)
    {
        PerCpuPlace place = _facts.PerCpu!;
        json.Put(place.Cpu);
        json.PutAddress(place.Pointer);
        json.Put(place.Variable);
        json.Put(place.Offset);
        json.Put(place.Module);
        json.Put(place.IsAllocated, "Allocated");
    }

    private void WriteArea(JsonText json)
    {
        VmallocArea area = _facts.Area!;
        json.PutAddress(area.Range.Start);
        json.PutAddress(area.Range.End);
        json.Put(area.Kinds);
        json.PutAddress(area.Caller == 0 ? null : area.Caller, "Caller");
        json.Put(area.Caller == 0 ? null : _context.SymbolAt(area.Caller), "CallerSymbol");
        json.PutAddress(area.Device == 0 ? null : area.Device, "Device");
    }

    private void WriteStruct(JsonText json)
    {
        json.Put(_facts.DescribedPage, "Pfn");
        json.Put(_facts.DescribedOffset, "Offset");
    }

    private void WriteMapping(JsonText json)
    {
        MappingPlace mapping = _facts.Mapping!;
        json.PutAddress(mapping.Range.Start);
        json.PutAddress(mapping.Range.End);
        json.Put(mapping.Permissions);
        json.PutAddress(mapping.File == 0 ? null : mapping.File, "File");
        json.Put(mapping.Path);
        json.Put(mapping.File == 0 ? null : mapping.FileOffset, "FileOffset");
    }

    private void WritePage(JsonText json)
    {
        json.Put(_page!.Pfn);
        json.Put(_page.Kind);
        json.Put(_page.Namespace);
        json.Put(_page.Words);
    }

    // A part of the answer.
    private sealed class Member(Action<JsonText> write) : IJsonItem
    {
        /// <inheritdoc/>
        public void Write(JsonText json) => write(json);
    }
}
