using System.CommandLine;
using System.Globalization;
using Vmcore.Architectures;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Cli.Reader.Code;
using Vmcore.Findings;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Processes;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Opening;

namespace Vmcore.Cli.Reader;

/// <summary>One run of a <see cref="ReaderCommand"/>: the dump, opened when first asked for, and where the answer goes.</summary>
internal sealed class ReaderContext : IDisposable
{
    private const int MostGaps = 100;

    private readonly Lazy<CrashDump> _dump;
    private readonly List<Finding> _gaps = [];
    private readonly HashSet<string> _said = [];
    private readonly bool _isBorrowed;
    private SourceLines? _lines;
    private bool _linesAsked;

    internal ReaderContext(ParseResult parsed, IReadOnlyList<string> files, CrashDumpOptions options, bool isJson, TextStyle style)
    {
        Parsed = parsed;
        Files = files;
        Inputs = [.. files, .. new[] { options.Vmlinux, options.BtfFile }.OfType<string>()];
        IsJson = isJson;
        Style = style;
        _dump = new(() =>
        {
            CrashDump dump = Open(files, options);
            GapsOf(dump);
            return dump;
        });
    }

    /// <summary>A run on a dump that somebody else opened, and closes.</summary>
    internal ReaderContext(ParseResult parsed, CrashDump dump, bool isJson, TextStyle style)
        : this(dump)
    {
        (Parsed, IsJson, Style) = (parsed, isJson, style);
        GapsOf(dump);
    }

    /// <summary>What commands need to describe something of a dump that somebody else opened, and closes: plain text, and no command line.</summary>
    /// <param name="dump">The dump.</param>
    internal ReaderContext(CrashDump dump)
    {
        (Parsed, Files, Inputs, Style) = (null!, dump.Files, dump.Files, TextStyle.Plain);
        _dump = new(dump);
        _isBorrowed = true;
    }

    private void GapsOf(CrashDump dump)
    {
        Gap(dump.IsXen ? new Finding(FindingCode.XenDump, dump.Name) : null);
        Gap(dump.Problems.Where(static p => p.Code == FindingCode.KernelSearchEnded));
    }

    /// <summary>Opens a dump. What was given with it and is not of its kernel is refused: no command goes on as if it had not been given.</summary>
    /// <param name="files">The files of the dump.</param>
    /// <param name="options">How it is opened.</param>
    /// <exception cref="VmcoreException">It cannot be opened, or a file of types is of another kernel.</exception>
    internal static CrashDump Open(IReadOnlyList<string> files, CrashDumpOptions options)
    {
        CrashDump dump = CrashDump.Open(files, options);
        if (options.BtfFile is null || dump.KernelView is { Memory: null } or { Types: not null })
            return dump;
        string why = $"{dump.Name}: no types: {dump.TypesProblem}";
        dump.Dispose();
        throw new MissingInformationException(why);
    }

    /// <summary>The command line: for the command's own options.</summary>
    internal ParseResult Parsed { get; }

    /// <summary>The dump's file as the user named it; of a split dump the first.</summary>
    internal string File => Files[0];

    /// <summary>All files of the dump.</summary>
    internal IReadOnlyList<string> Files { get; }

    /// <summary>All files that are read: those of the dump, and what describes its kernel.</summary>
    internal IReadOnlyList<string> Inputs { get; }

    /// <summary>True if the answer is to be JSON.</summary>
    internal bool IsJson { get; }

    /// <summary>Colours, or none.</summary>
    internal TextStyle Style { get; }

    /// <summary>The dump.</summary>
    /// <exception cref="VmcoreException">It cannot be opened.</exception>
    internal CrashDump Dump => _dump.Value;

    /// <summary>What is missing of the dump, as far as that is known; null if nothing is, or it is not open.</summary>
    internal string? Loss => _dump.IsValueCreated ? _dump.Value.Loss?.ToString() : null;

    /// <summary>What is missing of the answer. Each is said on standard error, is in the JSON, and makes the exit status 1.
    /// That a page which is lost was asked for is among them: nobody knows what the answer would be with it.</summary>
    internal IReadOnlyList<Finding> Gaps
    {
        get
        {
            Gap(_dump.IsValueCreated ? _dump.Value.LossMet : null);
            Gap(_lines?.Problem);
            return _gaps;
        }
    }

    /// <summary>Notes that something is missing of the answer. To be called before the answer is written, or while it is.</summary>
    /// <param name="what">What; null if nothing is.</param>
    internal void Gap(Finding? what)
    {
        if (what is not null && _gaps.Count < MostGaps && _said.Add(what.ToString()))
            _gaps.Add(what);
    }

    /// <summary>The same for several.</summary>
    /// <param name="what">What is missing.</param>
    internal void Gap(IEnumerable<Finding> what)
    {
        foreach (Finding one in what)
            Gap(one);
    }

    /// <summary>The kernel.</summary>
    /// <exception cref="MissingInformationException">There is none in the dump.</exception>
    internal CrashedKernel Kernel => Dump.KernelView.RequireKernel();

    /// <summary>The kernel's symbols. That some are missing is a gap: nobody knows which of them the answer would need.</summary>
    /// <exception cref="MissingInformationException">There are none.</exception>
    internal KernelSymbols Symbols
    {
        get
        {
            KernelSymbols symbols = Dump.KernelView.RequireSymbols();
            Gap(Dump.SymbolsProblem);
            return symbols;
        }
    }

    /// <summary>The kernel's types by name.</summary>
    /// <exception cref="MissingInformationException">There are none.</exception>
    internal KernelTypes NamedTypes => Dump.Types
        ?? throw new MissingInformationException($"{Dump.Name}: no types: {Dump.TypesProblem}; a BTF file (--btf) or a vmlinux (--vmlinux) can bring them");

    /// <summary>The kernel's memory.</summary>
    /// <exception cref="MissingInformationException">There is none in the dump.</exception>
    internal KernelAddressSpace Memory => Dump.KernelView.RequireMemory();

    /// <summary>The modules; none if they cannot be found.</summary>
    internal IReadOnlyList<KernelModule> Modules => Dump.Modules?.Modules ?? [];

    /// <summary>Lines of the kernel's source: of the vmlinux that was named, else of one that is on this machine. Null if there is none, or this executable
    /// reads none.</summary>
    internal SourceLines? Lines
    {
        get
        {
            if (CodeFeature.IsIncluded && !_linesAsked)
            {
                _linesAsked = true;
                _lines = Dump.KernelView.SourceLines ?? DebugFileSearch.TryOpenLines(Dump.KernelView, File);
            }

            return _lines;
        }
    }

    /// <summary>The times of a task; null if none can be told.</summary>
    internal TaskTime? TimeOf(KernelTask task) => Dump.KernelView.Times?.Of(task);

    /// <summary>The task that a word of the command line names by its number.</summary>
    /// <param name="pid">The word.</param>
    /// <exception cref="VmcoreException">It is no number, or there is no such task.</exception>
    internal KernelTask TaskOf(string pid)
    {
        if (!int.TryParse(pid, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            throw new VmcoreException($"found '{pid}', expected the number of a task");
        return TaskOf(number);
    }

    /// <summary>The task with a number.</summary>
    internal KernelTask TaskOf(int pid) => Dump.KernelView.RequireTasks().Tasks.FirstOrDefault(t => t.Pid == pid)
        ?? throw new VmcoreException($"{Dump.Name}: there is no task {pid}");

    /// <summary>The memory that addresses are read in: the kernel's, or that of a process.</summary>
    /// <param name="pid">The process; null for the kernel.</param>
    internal KernelAddressSpace MemoryOf(int? pid) => pid is { } number ? ProcessMemory.Open(Dump.KernelView, TaskOf(number)).Memory : Memory;

    /// <summary>Why no page is where a process was asked for one.</summary>
    /// <param name="pid">The process.</param>
    /// <param name="address">The virtual address.</param>
    internal string WhyNotMapped(int pid, ulong address)
    {
        var memory = ProcessMemory.Open(Dump.KernelView, TaskOf(pid));
        return memory.Areas.FirstOrDefault(a => address >= a.Start && address < a.End) is { } area
            ? string.Create(CultureInfo.InvariantCulture, $"process {pid} has mapped {Sizes.Hex(area.Start)}-{Sizes.Hex(area.End)} there, ")
                + "but no page: it was swapped out, or never touched"
            : memory.Problems.Count > 0 ? $"not mapped; what process {pid} has mapped is not known in full: {memory.Problems[0]}"
            : string.Create(CultureInfo.InvariantCulture, $"process {pid} has nothing mapped there") + ClauseOf(address, isPhysical: false);
    }

    /// <summary>What is to be said of an address at which nothing is: a clause that begins with a semicolon, or nothing.</summary>
    /// <param name="address">The address.</param>
    /// <param name="isPhysical">True for a physical one.</param>
    internal static string ClauseOf(ulong address, bool isPhysical) => isPhysical ? ""
        : AddressPattern.Of(address) is { } pattern ? $"; the address is {pattern}"
        : AddressPattern.IsImpossible(address) ? "; the address is none that can be mapped (not canonical)" : "";

    /// <summary>Names an address: <c>schedule+0x12</c>, with <c> [module]</c> behind; null if no symbol has it.</summary>
    internal string? SymbolAt(ulong address) =>
        Dump.Symbols is { } symbols && symbols.TryResolve(address, out KernelSymbol symbol, out ulong offset)
            ? string.Create(CultureInfo.InvariantCulture, $"{symbol.Name}+0x{offset:x}{(symbol.Module is { } module ? $" [{module}]" : "")}") : null;

    /// <summary>Evaluates an expression.</summary>
    /// <param name="text">A number, a symbol, a member, a cast …</param>
    internal KernelObject Evaluate(string text)
    {
        // Without types the message says which options bring them.
        _ = Memory;
        _ = NamedTypes;
        return Dump.Evaluate(text);
    }

    /// <summary>The address that a word of the command line means: a number, or an expression that is a number, a pointer, or in memory.</summary>
    /// <param name="text">The word.</param>
    internal ulong AddressOf(string text)
    {
        if (TryNumber(text, out ulong number))
            return number;
        if (Dump.Symbols is { } symbols)
        {
            // As this program and the kernel's log write places: SYMBOL+OFFSET is an address, whatever a variable's value is.
            int plus = text.IndexOf('+', StringComparison.Ordinal);
            string name = plus > 0 && TryNumber(text[(plus + 1)..], out number) ? text[..plus].TrimEnd() : text;
            if (symbols.TryFind(name, out ulong symbol))
            {
                int count = symbols.FindAll(name).Select(static s => s.Address).Distinct().Count();
                if (count > 1)
                    Warn($"{count} symbols are called {name}: this is the first of them (vmcore symbol {name} lists them)");
                return unchecked(symbol + number);
            }
        }

        // Else an expression would complain of the types, which come from the symbols.
        if (Dump.Symbols is null && text.All(static c => char.IsAsciiLetterOrDigit(c) || c == '_'))
            _ = Symbols;
        KernelObject item = Evaluate(text);
        return item.Type.Underlying().Kind == KernelTypeKind.Pointer || item.Address is null ? item.AsUInt64() : item.Address.Value;
    }

    /// <summary>A number: hexadecimal with <c>0x</c>, or decimal. Addresses of the kernel may go without <c>0x</c>: 16 hex digits.</summary>
    internal static bool TryNumber(string text, out ulong number)
    {
        const int AddressDigits = 16;
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number);
        return text.Length == AddressDigits && text[0] is 'f' or 'F'
            ? ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
            : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    /// <summary>What is said where nothing was found: that there is nothing only if all could be read.</summary>
    /// <param name="sentence">That there is nothing.</param>
    internal string NothingFound(string sentence) => _gaps.Count == 0 && !Dump.IsIncomplete ? sentence + "\n" : "nothing was found in what could be read\n";

    /// <summary>Writes text to standard output.</summary>
    internal static void Write(string text) => Console.Out.Write(text);

    /// <summary>Writes a warning to standard error, behind the command's name.</summary>
    internal static void Warn(string message) => Console.Error.WriteLine(TerminalText.Clean($"vmcore: {message}"));

    /// <summary>Writes the answer as JSON; members that all answers have are filled in.</summary>
    /// <param name="answer">The answer.</param>
    internal void WriteJson(ReaderAnswer answer)
    {
        JsonText.Write(Complete(answer), Console.Out);
        Console.Out.Write('\n');
    }

    /// <summary>Fills in what all answers have.</summary>
    /// <param name="answer">The answer.</param>
    internal T Complete<T>(T answer)
        where T : ReaderAnswer => answer with
        {
            Command = Parsed.CommandResult.Command.Name,
            File = File,
            Parts = Files.Count > 1 ? Files : null,
            GapsOf = () => Gaps,
        };

    /// <inheritdoc/>
    public void Dispose()
    {
        _lines?.Dispose();
        if (_dump.IsValueCreated && !_isBorrowed)
            _dump.Value.Dispose();
    }
}
