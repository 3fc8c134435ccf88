using System.Globalization;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>One line of /proc/iomem.</summary>
/// <param name="Range">Physical addresses in bytes, half-open.</param>
/// <param name="Depth">0 for a top-level resource, 1 for its children, and so on.</param>
/// <param name="Name">The resource's name, for example <c>System RAM (kmem)</c>.</param>
public sealed record IomemResource(PhysicalRange Range, int Depth, string Name);

/// <summary>The kernel's map of physical addresses, /proc/iomem.</summary>
public sealed class Iomem
{
    private const int LineLimit = 1 << 17;

    // No machine with Linux has more than 52 bits of physical address.
    private const ulong AddressLimit = 1UL << 52;
    private readonly IomemResource[] _resources;

    private Iomem(IomemResource[] resources) => _resources = resources;

    /// <summary>All lines, in the order of the file.</summary>
    public IReadOnlyList<IomemResource> Resources => _resources;

    /// <summary>True if the kernel hides the addresses, which it does from everyone but root.</summary>
    public bool IsHidden => _resources.Length > 0 && _resources.All(static r => r.Range.End <= 1);

    /// <summary>Regions reserved by <c>crashkernel=</c>, ascending: none, one, or a low and a high one.</summary>
    public IReadOnlyList<PhysicalRange> CrashRegions =>
        [.. Named("Crash kernel").Where(static r => r.Length > 1).OrderBy(static r => r.Start)];

    /// <summary>All System RAM, at any depth: also what dax/kmem and virtio-mem provide. Whole pages.</summary>
    /// <param name="pageShift">Base-2 logarithm of the page size.</param>
    public PfnRangeSet SystemRam(int pageShift) =>
        WholePages(_resources.Where(static r => r.Name.Contains("System RAM", StringComparison.Ordinal)).Select(static r => r.Range), pageShift);

    /// <summary>All persistent memory that the map names, of e820 types 7 and 12. Whole pages.</summary>
    /// <param name="pageShift">Base-2 logarithm of the page size.</param>
    public PfnRangeSet PersistentMemory(int pageShift) =>
        WholePages(_resources.Where(static r => r.Name.StartsWith("Persistent Memory", StringComparison.Ordinal)).Select(static r => r.Range), pageShift);

    /// <summary>Reads the text of /proc/iomem. Lines of another form, and beyond 52 bits, are skipped.</summary>
    public static Iomem Parse(string text)
    {
        List<IomemResource> resources = [];
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            if (resources.Count == LineLimit)
                break;
            int colon = line.IndexOf(" : ", StringComparison.Ordinal);
            if (colon < 0)
                continue;
            int indent = line.Length - line.TrimStart(' ').Length;
            ReadOnlySpan<char> range = line[..colon].Trim();
            int dash = range.IndexOf('-');
            if (dash < 0 || Numbers.TryParseHex(range[..dash]) is not { } start || Numbers.TryParseHex(range[(dash + 1)..]) is not { } last
                || last < start || last >= AddressLimit)
            {
                continue;
            }

            resources.Add(new(new(start, last + 1), indent / 2, line[(colon + 3)..].Trim().ToString()));
        }

        return new([.. resources]);
    }

    /// <summary>Ranges of the resources of exactly this name, whatever their depth.</summary>
    public IEnumerable<PhysicalRange> Named(string name) =>
        _resources.Where(r => string.Equals(r.Name, name, StringComparison.OrdinalIgnoreCase)).Select(static r => r.Range);

    /// <summary>
    /// The running kernel in physical memory: from its code to the end of its bss. Null if the map does not say.
    /// </summary>
    public PhysicalRange? KernelImage
    {
        get
        {
            PhysicalRange code = Named("Kernel code").FirstOrDefault();
            if (code.Length <= 1)
                return null;
            PhysicalRange bss = Named("Kernel bss").FirstOrDefault(b => b.Start >= code.End);
            return new(code.Start, bss.Length > 1 ? bss.End : code.End);
        }
    }

    /// <summary>The pages that lie wholly in the ranges: the kernel uses no page that is RAM only in part.</summary>
    /// <param name="ranges">The ranges, in bytes.</param>
    /// <param name="pageShift">Base-2 logarithm of the page size.</param>
    internal static PfnRangeSet WholePages(IEnumerable<PhysicalRange> ranges, int pageShift)
    {
        ulong rest = (1UL << pageShift) - 1;
        return PfnRangeSet.From(ranges.Select(r => new PfnRange((r.Start >> pageShift) + ((r.Start & rest) == 0 ? 0UL : 1UL), r.End >> pageShift)));
    }

    /// <summary>The map as text, one resource a line, for messages.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{_resources.Length} resources");
}
