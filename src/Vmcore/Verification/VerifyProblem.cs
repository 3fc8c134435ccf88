namespace Vmcore.Verification;

/// <summary>What is wrong with a dump: where it stands, what is there and what should be.</summary>
/// <param name="Kind">What was checked: <c>file</c>, <c>header</c>, <c>bitmap</c>, <c>descriptor</c>,
/// <c>page</c>, <c>segment</c>, <c>split</c>, <c>pmem</c>, <c>manifest</c>.</param>
/// <param name="File">The file.</param>
/// <param name="Offset">Offset in the file in bytes; null if it is no one place.</param>
/// <param name="What">The structure or field.</param>
/// <param name="Found">What is there.</param>
/// <param name="Expected">What should be there.</param>
public sealed record VerifyProblem(string Kind, string File, long? Offset, string What, string Found, string Expected);

/// <summary>The outcome of a check. At most 1000 problems are kept; all are counted.</summary>
public sealed class VerifyReport
{
    private const int Most = 1000;

    private readonly List<VerifyProblem> _problems = [];

    internal VerifyReport(string file) => File = file;

    /// <summary>The file; of a split dump the first that was named.</summary>
    public string File { get; }

    /// <summary>The problems that were kept, in the order in which they were found.</summary>
    public IReadOnlyList<VerifyProblem> Problems => _problems;

    /// <summary>Number of problems.</summary>
    public long ProblemCount { get; private set; }

    /// <summary>True if nothing is wrong.</summary>
    public bool IsSound => ProblemCount == 0;

    /// <summary>Pages that have content in the dump.</summary>
    public ulong Pages { get; internal set; }

    /// <summary>Pages that were read, and decompressed, without fault.</summary>
    public ulong PagesRead { get; internal set; }

    /// <summary>Pages of pmem user data that the machine had: each was looked for.</summary>
    public ulong UserDataPages { get; internal set; }

    /// <summary>Those of them that are in the dump; none should be.</summary>
    public ulong UserDataFound { get; internal set; }

    /// <summary>Pages of pmem metadata in the dump.</summary>
    public ulong MetadataPages { get; internal set; }

    internal void Add(string kind, long? offset, string what, string found, string expected) => Add(kind, File, offset, what, found, expected);

    internal void Add(string kind, string file, long? offset, string what, string found, string expected)
    {
        ProblemCount++;
        if (_problems.Count < Most)
            _problems.Add(new(kind, file, offset, what, found, expected));
    }
}
