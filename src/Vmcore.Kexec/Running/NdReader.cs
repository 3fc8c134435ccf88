using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>Reads the persistent memory namespaces from /sys/bus/nd and /sys/bus/dax.</summary>
internal static class NdReader
{
    private const string Nd = "/sys/bus/nd/devices";
    private const string Dax = "/sys/bus/dax/devices";

    /// <summary>All namespaces that have memory, ascending by address.</summary>
    public static IReadOnlyList<NdNamespace> ReadNamespaces(SystemRoot root)
    {
        List<DaxDevice> daxDevices = ReadDaxDevices(root);
        return
        [
            .. root.List(Nd)
                .Where(static name => name.StartsWith("namespace", StringComparison.Ordinal))
                .Select(name => ReadNamespace(root, name, daxDevices))
                .OfType<NdNamespace>()
                .OrderBy(static n => n.Range.Start),
        ];
    }

    /// <summary>The regions (interleave sets) of the nd bus, which hold namespaces, labels' gaps and free capacity.</summary>
    public static IEnumerable<PhysicalRange> ReadRegions(SystemRoot root) =>
        root.List(Nd)
            .Where(static name => name.StartsWith("region", StringComparison.Ordinal))
            .Select(name => ReadRange(root, $"{Nd}/{name}"));

    /// <summary>
    /// Pages of pmem with an error that the kernel knows of (its badblocks: a start and a length in units of 512 bytes, from the region's start). Reading
    /// such a page stops the machine, or at best fails.
    /// </summary>
    /// <param name="root">The system.</param>
    /// <param name="pageShift">Base-2 logarithm of the page size.</param>
    public static PfnRangeSet ReadBadPages(SystemRoot root, int pageShift)
    {
        const int sectorShift = 9;
        List<PfnRange> bad = [];
        foreach (string region in root.List(Nd).Where(static name => name.StartsWith("region", StringComparison.Ordinal)))
        {
            PhysicalRange range = ReadRange(root, $"{Nd}/{region}");
            foreach (string line in (root.TryReadText($"{Nd}/{region}/badblocks", 65536) ?? "").Split('\n'))
            {
                string[] words = line.Split(' ');
                if (words.Length != 2 || Numbers.TryParse(words[0]) is not { } first || Numbers.TryParse(words[1]) is not (> 0 and { } count)
                    || first >= range.Length >> sectorShift)
                {
                    continue;
                }

                ulong start = range.Start + (first << sectorShift);
                ulong end = count >= (range.End - start) >> sectorShift ? range.End : start + (count << sectorShift);
                bad.Add(new PhysicalRange(start, end).ToPfns(pageShift));
            }
        }

        return PfnRangeSet.From(bad);
    }

    /// <summary>True if there is any dax device that may become RAM in a capture kernel.</summary>
    public static bool HasKmem(SystemRoot root) => ReadDaxDevices(root).Exists(static d => d.IsKmem);

    private static NdNamespace? ReadNamespace(SystemRoot root, string name, List<DaxDevice> daxDevices)
    {
        string path = $"{Nd}/{name}";
        PhysicalRange range = ReadRange(root, path);
        if (range.IsEmpty)
            return null;

        string mode = root.TryReadText($"{path}/mode", 64) ?? "";
        string holder = root.TryReadText($"{path}/holder", 64) ?? "";
        // A device name only: it becomes part of a path.
        if (holder.Length > 32 || !holder.All(static c => char.IsAsciiLetterOrDigit(c) || c == '.'))
            holder = "";
        bool isDax = holder.StartsWith("dax", StringComparison.Ordinal);
        var result = new NdNamespace
        {
            Name = name,
            Range = range,
            Memmap = MemmapPlace.None,
            Mode = mode switch { "memory" => "fsdax", "dax" => "devdax", "safe" => "sector", _ => "raw" },
            Device = BlockDevice(root, path) ?? BlockDevice(root, $"{Nd}/{holder}"),
        };
        if (!holder.StartsWith("pfn", StringComparison.Ordinal) && !isDax)
            return result.Mode is "fsdax" && root.TryReadText($"{path}/force_raw", 8) is not "1" ? WithoutInfoBlock(result) : result;

        string claim = $"{Nd}/{holder}";
        string map = root.TryReadText($"{claim}/mode", 64) ?? "";
        ulong data = root.TryReadNumber($"{claim}/resource") ?? 0;
        if (!range.Contains(data) || data == range.Start)
            return result with { Note = $"{holder} is not active: no memmap now" };
        if (isDax && daxDevices.Find(d => d.Range.Start == data) is { } dax)
        {
            result = result with { Device = dax.Name };
            if (dax.IsKmem)
                return result with { Mode = "system-ram", Memmap = MemmapPlace.SystemRam };
        }

        ulong size = root.TryReadNumber($"{claim}/size") ?? 0;
        return map switch
        {
            "pmem" => result with
            {
                Memmap = MemmapPlace.Media,
                Metadata = new(range.Start, data),
                Data = size <= range.End - data ? new(data, data + size) : default,
                Alignment = root.TryReadNumber($"{claim}/align") ?? 0,
            },
            "ram" => result with { Memmap = MemmapPlace.Ram },
            _ => result with { Note = $"{holder} has the mode \"{map}\", which says nothing of a memmap" },
        };
    }

    // Mode "memory" without a claim: a legacy namespace, whose memmap is in RAM, or one that nothing has bound.
    private static NdNamespace WithoutInfoBlock(NdNamespace result) =>
        result.Device is null ? result with { Note = "not active: no memmap now" } : result with { Memmap = MemmapPlace.Ram };

    private static string? BlockDevice(SystemRoot root, string path)
    {
        IReadOnlyList<string> names = root.List($"{path}/block");
        return names.Count > 0 ? names[0] : null;
    }

    private static List<DaxDevice> ReadDaxDevices(SystemRoot root) =>
    [
        .. root.List(Dax)
            .Where(static name => name.StartsWith("dax", StringComparison.Ordinal))
            .Select(name => new DaxDevice(name, ReadRange(root, $"{Dax}/{name}"), root.LinkName($"{Dax}/{name}/driver") == "kmem")),
    ];

    private static PhysicalRange ReadRange(SystemRoot root, string path)
    {
        ulong start = root.TryReadNumber($"{path}/resource") ?? 0;
        ulong size = root.TryReadNumber($"{path}/size") ?? 0;
        return start == 0 || size == 0 || start > ulong.MaxValue - size ? default : new(start, start + size);
    }

    private sealed record DaxDevice(string Name, PhysicalRange Range, bool IsKmem);
}
