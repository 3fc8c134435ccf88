using System.CommandLine;
using System.Globalization;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Memory;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore vtop FILE ADDRESS</c></summary>
internal static class VtopCommand
{
    internal static Command Create()
    {
        var address = new Argument<string>("ADDRESS") { Description = "A virtual address, a symbol, or an expression." };
        var pid = NumberOption.Create("--pid", "PID", "Translate in the address space of this process, not in the kernel's.", int.MaxValue);
        return new ReaderCommand("vtop", "Translate a virtual address: the page walk, and what the page is.", context =>
            !CodeFeature.IsIncluded ? CodeFeature.Refuse("vtop")
            : Run(context, context.Parsed.GetRequiredValue(address), context.Parsed.GetValue(pid)), hasWords: true) { address, pid };
    }

    private static int Run(ReaderContext context, string word, int? pid)
    {
        ulong address = context.AddressOf(word);
        KernelAddressSpace space = context.MemoryOf(pid);
        IReadOnlyList<PageTableStep> steps = space.Walk(address);
        Translation translation = space.Translate(address);
        bool mapped = translation.Status == MemoryStatus.Ok;
        PageExplanation? page = mapped ? Explain(context.Dump, translation.PhysicalAddress) : null;
        if (context.IsJson)
        {
            context.WriteJson(
                new VtopAnswer
                {
                    Virtual = address,
                    Physical = mapped ? translation.PhysicalAddress : null,
                    PageBytes = mapped && !translation.IsLinear ? translation.Size : null,
                    Linear = translation.IsLinear,
                    Status = MemoryStatusText.Of(translation.Status),
                    Walk = [.. steps.Select(s => new WalkStep(s.Level, s.EntryAddress, s.Entry, Flags(space, s)))],
                    Page = page,
                });
            return mapped ? 0 : 1;
        }

        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"virtual   {address:x16}{(context.SymbolAt(address) is { } name ? "  " + name : "")}\n");
        string how = translation.IsLinear ? "as the kernel lays out its image and its map of all memory"
            : string.Create(CultureInfo.InvariantCulture, $"in a page of {translation.Size >> 10} KiB");
        text.Append(mapped
            ? string.Create(CultureInfo.InvariantCulture, $"physical  {translation.PhysicalAddress:x16}  {how}\n")
            : $"physical  none: {MemoryStatusText.Of(translation.Status)}{ReaderContext.ClauseOf(address, isPhysical: false)}\n");
        foreach (PageTableStep step in steps)
            text.Append(CultureInfo.InvariantCulture, $"  {step.Level}  at {step.EntryAddress:x12}  {step.Entry:x16}  "
                + $"{(step.Status == MemoryStatus.Ok ? Flags(space, step) : MemoryStatusText.Of(step.Status))}\n");
        if (page is not null)
            text.Append(CultureInfo.InvariantCulture, $"page      pfn 0x{page.Pfn:x}: {page.What}; {page.Content}\n");
        ReaderContext.Write(text.ToString());
        return mapped ? 0 : 1;
    }

    private static string Flags(KernelAddressSpace space, PageTableStep step) => string.Join(' ', space.FlagsOf(step));

    private static PageExplanation Explain(CrashDump dump, ulong physical)
    {
        ulong pfn = physical >> dump.Memory.PageShift;
        byte[] page = new byte[dump.Memory.PageSize];
        MemoryStatus status = dump.Memory.ReadPage(pfn, page);
        string content = status == MemoryStatus.Ok ? "in the dump" : MemoryStatusText.Of(status);
        string what = dump.Pmem.Metadata.Contains(pfn) ? "pmem metadata" : dump.Pmem.UserData.Contains(pfn) ? "pmem user data" : PageWords.Short(dump, pfn);
        return new(pfn, what, content);
    }
}

/// <summary>The answer of <c>vmcore vtop --json</c>.</summary>
internal sealed record VtopAnswer : ReaderAnswer
{
    public ulong Virtual { get; init; }

    /// <summary>Null if nothing is mapped there.</summary>
    public ulong? Physical { get; init; }

    /// <summary>Null if nothing is mapped there, or it is not known in which page.</summary>
    public ulong? PageBytes { get; init; }

    /// <summary>True if a page table is not in the dump, and the address is translated as the kernel lays out its image and its map of all memory.</summary>
    public bool Linear { get; init; }

    public required string Status { get; init; }

    public IReadOnlyList<WalkStep> Walk { get; init; } = [];

    public PageExplanation? Page { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.PutAddress(Virtual);
        json.PutAddress(Physical);
        json.Put(PageBytes);
        json.Put(Linear);
        json.Put(Status);
        json.Put(Walk);
        json.Put(Page);
    }
}

/// <summary>An entry that the walk met: level, physical address, value, flags in words.</summary>
internal sealed record WalkStep(
    string Level,
    ulong EntryAddress,
    ulong Entry,
    string Flags) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Level);
        json.PutAddress(EntryAddress);
        json.PutAddress(Entry);
        json.Put(Flags);
    }
}

/// <summary>What a page is, and whether its content is there, in words.</summary>
internal sealed record PageExplanation(ulong Pfn, string What, string Content) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Pfn);
        json.Put(What);
        json.Put(Content);
    }
}
