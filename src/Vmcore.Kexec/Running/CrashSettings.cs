using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>What the running kernel has set aside or set up for its crash kernel, besides the regions that /proc/iomem shows.</summary>
internal static class CrashSettings
{
    private const string PmemParameter = "/sys/module/crash_pmem/parameters/headers";
    private const string CryptKeys = "/sys/kernel/config/crash_dm_crypt_keys/count";

    // Since Linux 7.0; the second name is for those who look where the others have always been. /proc/iomem does not have them.
    private static readonly string[] CmaFiles = ["/sys/kernel/kexec/crash_cma_ranges", "/sys/kernel/kexec_crash_cma_ranges"];

    /// <summary>Memory of <c>crashkernel=SIZE,cma</c>, in bytes, ascending; what is no System RAM of this machine is left out, since the capture kernel would
    /// write to it.</summary>
    public static IReadOnlyList<PhysicalRange> ReadCma(SystemRoot root, Iomem iomem, int pageShift)
    {
        List<PhysicalRange> ranges = [];
        foreach (string line in (CmaText(root) ?? "").Split('\n'))
        {
            int dash = line.IndexOf('-');
            if (dash > 0 && Numbers.TryParseHex(line.AsSpan(0, dash).Trim()) is { } start
                && Numbers.TryParseHex(line.AsSpan(dash + 1).Trim()) is { } last and < ulong.MaxValue && last >= start)
            {
                ranges.Add(new(start, last + 1));
            }
        }

        PfnRangeSet usable = Iomem.WholePages(ranges, pageShift).Intersect(iomem.SystemRam(pageShift)).Except(Iomem.WholePages(iomem.CrashRegions, pageShift));
        return [.. usable.Select(r => r.ToPhysical(pageShift))];
    }

    /// <summary>Bytes that <c>crashkernel=SIZE,cma</c> asked for if the kernel does not say where they are (Linux 6.17 to 6.19, and where it was
    /// backported); else 0.</summary>
    public static ulong ReadHiddenCma(SystemRoot root, string commandLine)
    {
        if (CmaText(root) is not null)
            return 0;
        // The last one counts, as in the kernel.
        string? word = CommandLineWords.Split(commandLine).TakeWhile(static w => w != "--").LastOrDefault(static w =>
            CommandLineWords.Is(w, "crashkernel") && CommandLineWords.Value(w).EndsWith(",cma", StringComparison.Ordinal));
        return word is null ? 0 : Size(CommandLineWords.Value(word)[..^4]);
    }

    /// <summary>Number of dm-crypt keys for the capture kernel; 0 without any, or without CONFIG_CRASH_DM_CRYPT.</summary>
    public static int ReadCryptKeys(SystemRoot root) => (int)Math.Min(root.TryReadNumber(CryptKeys) ?? 0, int.MaxValue);

    /// <summary>What <c>crash_pmem.headers</c> says: as it is now, else as the command line has it. Null if there is no such parameter.</summary>
    /// <param name="root">The system.</param>
    /// <param name="commandLine">The running kernel's command line.</param>
    /// <param name="isPatched">True if other things tell that the kernel adds pmem by itself: to others the word means nothing.</param>
    public static PmemInDump? ReadPmem(SystemRoot root, string commandLine, bool isPatched)
    {
        string? value = root.TryReadText(PmemParameter, 64);
        if (value is null && isPatched
            && CommandLineWords.Split(commandLine).LastOrDefault(static w => CommandLineWords.Is(w, "crash_pmem.headers")) is { } word)
        {
            value = CommandLineWords.Value(word);
        }

        return value switch
        {
            "memmap" => PmemInDump.Metadata,
            "region" => PmemInDump.Region,
            "none" => PmemInDump.None,
            _ => null,
        };
    }

    // Empty if none could be reserved; null if the kernel does not tell.
    private static string? CmaText(SystemRoot root) => root.TryReadText(CmaFiles[0], 65536) ?? root.TryReadText(CmaFiles[1], 65536);

    // As memparse() in the kernel, for decimal numbers.
    private static ulong Size(string text)
    {
        int shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        ulong number = Numbers.TryParse(shift == 0 ? text : text[..^1]) ?? 0;
        return number <= ulong.MaxValue >> shift ? number << shift : 0;
    }
}
