using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vmcore.Kernel;

namespace Vmcore.Cli.Reader;

/// <summary>One run of a <see cref="ReaderCommand"/>: the dump, opened when first asked for, and where the answer goes.</summary>
internal sealed class ReaderContext : IDisposable
{
    private readonly Lazy<CrashDump> _dump;

    internal ReaderContext(ParseResult parsed, string file, string? btf, bool isJson, TextStyle style)
    {
        Parsed = parsed;
        IsJson = isJson;
        Style = style;
        _dump = new(() => CrashDump.Open(file, new() { BtfFile = btf }));
    }

    /// <summary>The command line: for the command's own options.</summary>
    internal ParseResult Parsed { get; }

    /// <summary>True if the answer is to be JSON.</summary>
    internal bool IsJson { get; }

    /// <summary>Colours, or none.</summary>
    internal TextStyle Style { get; }

    /// <summary>The dump.</summary>
    /// <exception cref="VmcoreException">It cannot be opened.</exception>
    internal CrashDump Dump => _dump.Value;

    /// <summary>The kernel.</summary>
    /// <exception cref="MissingInformationException">There is none in the dump.</exception>
    internal CrashedKernel Kernel => Dump.Kernel ?? throw new MissingInformationException(Dump.ClassificationProblem ?? $"{Dump.Name}: the kernel's memory cannot be found");

    /// <summary>The kernel's symbols.</summary>
    /// <exception cref="MissingInformationException">There are none.</exception>
    internal KernelSymbols Symbols => Dump.Symbols ?? throw new MissingInformationException($"{Dump.Name}: no symbols: {Dump.SymbolsProblem}");

    /// <summary>The kernel's types.</summary>
    /// <exception cref="MissingInformationException">There are none.</exception>
    internal BtfTypes Types => Dump.Types ?? throw new MissingInformationException($"{Dump.Name}: no types: {Dump.TypesProblem}; a BTF file (--btf) can bring them");

    /// <summary>Writes text to standard output.</summary>
    internal static void Write(string text) => Console.Out.Write(text);

    /// <summary>Writes a warning to standard error, behind the command's name.</summary>
    internal static void Warn(string message) => Console.Error.WriteLine($"vmcore: {message}");

    /// <summary>Writes the answer as JSON; members that all answers have are filled in.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="type">How to serialise it, without reflection.</param>
    internal void WriteJson<T>(T answer, JsonTypeInfo<T> type)
        where T : ReaderAnswer
    {
        T complete = answer with { Command = Parsed.CommandResult.Command.Name, File = Dump.Name };
        Console.Out.Write(JsonSerializer.Serialize(complete, type));
        Console.Out.Write('\n');
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_dump.IsValueCreated)
            _dump.Value.Dispose();
    }
}
