using System.Globalization;
using System.Text;

namespace Vmcore.Kexec;

/// <summary>The capture kernel's command line.</summary>
public sealed record CaptureCommandLine
{
    // Everything that brings up pmem: who finds the devices, and who binds the namespaces. Unknown names do no harm.
    private static readonly string[] Binders = ["nd_pmem_driver_init", "dax_pmem_init"];
    private const string Kmem = "dax_kmem_init";

    private CaptureCommandLine(string text, IReadOnlyList<string> added, IReadOnlyList<string> notes)
    {
        Text = text;
        Added = added;
        Notes = notes;
    }

    /// <summary>The whole line.</summary>
    public string Text { get; }

    /// <summary>The words that the loader put in.</summary>
    public IReadOnlyList<string> Added { get; }

    /// <summary>What the operator should know of it.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>The line as bytes, with its NUL.</summary>
    public byte[] ToBytes() => [.. Encoding.UTF8.GetBytes(Text), 0];

    /// <summary>Builds the line.</summary>
    /// <param name="system">The system.</param>
    /// <param name="options">What the operator wants.</param>
    /// <param name="extra">Words that the loader must add, for example <c>elfcorehdr=720896K</c>.</param>
    /// <param name="limit">Longest line in bytes, without the NUL.</param>
    /// <exception cref="KexecException">It does not fit.</exception>
    public static CaptureCommandLine Build(RunningSystem system, LoadOptions options, IReadOnlyList<string> extra, int limit)
    {
        List<string> notes = [];
        List<string> words = options.ReuseCommandLine ? CommandLineWords.Split(system.CommandLine) : [];
        words.RemoveAll(static w => CommandLineWords.Is(w, "BOOT_IMAGE") || CommandLineWords.Is(w, "crashkernel"));
        AddOwn(words, CommandLineWords.Split(options.CommandLine));
        words.RemoveAll(static w => CommandLineWords.Is(w, "elfcorehdr"));
        bool protects = KeepsDriversOut(system, options);
        if (protects)
            DropPmemFromMemmap(words, notes);
        WarnOfBlacklists(words, notes);

        string[] kmem = system.HasKmem ? [Kmem] : [];
        List<string> added = [];
        if (protects)
            added.AddRange(Blacklist(words, [.. Binders, .. Platform.Of(system).PmemFinders, .. kmem]));
        extra = [.. Platform.Of(system).CaptureWords(words), .. extra];
        added.AddRange(extra);
        string text = Join(words, added);
        int length = Encoding.UTF8.GetByteCount(text);
        if (length > limit && protects)
        {
            // The two that bind are enough; the others only save the capture kernel some work.
            added = [.. Blacklist(words, [.. Binders, .. kmem]), .. extra];
            text = Join(words, added);
            length = Encoding.UTF8.GetByteCount(text);
        }

        if (length > limit)
        {
            string ours = added.Count == 0 ? "" : $", of which the loader adds {string.Join(' ', added)}";
            throw new KexecException(string.Create(
                CultureInfo.InvariantCulture,
                $"The capture kernel's command line is {length} bytes long and may have {limit}{ours}: shorten it by {length - limit} bytes."));
        }

        return new(text, added, notes);
    }

    /// <summary>True if the capture kernel shall not drive pmem: binding a namespace writes its memmap anew, over the evidence.</summary>
    internal static bool KeepsDriversOut(RunningSystem system, LoadOptions options) =>
        !options.KeepPmemDrivers && options.Pmem != PmemInDump.None && (system.NamespacesOnMedia.Any() || system.HasKmem);

    // What stands behind "--" goes to init, in the running kernel's line too: the operator's words for the kernel go in front of it, those for init behind all.
    private static void AddOwn(List<string> words, List<string> own)
    {
        int end = words.IndexOf("--"), ownEnd = own.IndexOf("--");
        if (end < 0)
        {
            words.AddRange(own);
            return;
        }

        words.InsertRange(end, ownEnd < 0 ? own : own[..ownEnd]);
        if (ownEnd >= 0)
            words.AddRange(own[(ownEnd + 1)..]);
    }

    // What stands behind "--" goes to init, so the loader's words go in front of it.
    private static string Join(List<string> words, List<string> added)
    {
        int end = words.IndexOf("--");
        return string.Join(' ', end < 0 ? [.. words, .. added] : [.. words[..end], .. added, .. words[end..]]);
    }

    private static IEnumerable<string> Blacklist(List<string> words, string[] initcalls)
    {
        HashSet<string> known = new(StringComparer.Ordinal);
        foreach (string word in words.TakeWhile(static w => w != "--").Where(static w => CommandLineWords.Is(w, "initcall_blacklist")))
            known.UnionWith(CommandLineWords.Value(word).Split(','));
        // Several occurrences add up, unlike those of module_blacklist.
        string[] missing = [.. initcalls.Where(i => !known.Contains(i))];
        return missing.Length == 0 ? [] : [$"initcall_blacklist={string.Join(',', missing)}"];
    }

    // memmap=SIZE!START makes legacy pmem out of RAM; its other forms stay.
    private static void DropPmemFromMemmap(List<string> words, List<string> notes)
    {
        for (int i = 0; i < words.Count; i++)
        {
            if (!CommandLineWords.Is(words[i], "memmap") || !words[i].Contains('!', StringComparison.Ordinal))
                continue;
            notes.Add($"Left {words[i]} out of the capture kernel's command line: it would bring up pmem there.");
            string[] rest = [.. CommandLineWords.Value(words[i]).Split(',').Where(static p => !p.Contains('!', StringComparison.Ordinal))];
            words[i] = rest.Length == 0 ? "" : $"memmap={string.Join(',', rest)}";
        }

        words.RemoveAll(static w => w.Length == 0);
    }

    private static void WarnOfBlacklists(List<string> words, List<string> notes)
    {
        if (words.Count(static w => CommandLineWords.Is(w, "module_blacklist")) > 1)
            notes.Add("The capture kernel's command line has several module_blacklist=, of which the kernel obeys only the last: join them with commas.");
    }
}
