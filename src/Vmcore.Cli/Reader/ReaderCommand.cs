using System.CommandLine;
using Vmcore.Cli.Reader.Code;
using Vmcore.Findings;
using Vmcore.Opening;

namespace Vmcore.Cli.Reader;

/// <summary>
/// A command that reads one dump: <c>vmcore NAME [OPTIONS] FILE …</c>. It brings the argument and the options that all have; a command adds its own
/// and says what it does with an opened dump. The files of a split dump follow each other; where other words follow, <c>--part</c> names the others.
/// </summary>
internal sealed class ReaderCommand : Command, IDumpReader
{
    private readonly DumpFiles _files;
    private readonly Func<ReaderContext, int> _run;
    private readonly Option<string?> _btf = Btf();
    private readonly Option<string?> _vmlinux;
    private readonly Option<bool> _json = new("--json") { Description = "Write the answer as JSON (docs/json-schema.md)." };
    private readonly Option<string> _color = new("--color")
    {
        Description = "Colours: auto (if the output is a terminal and NO_COLOR is not set), always, never.",
        DefaultValueFactory = _ => "auto",
        HelpName = "WHEN",
    };

    /// <summary>Creates the command.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does, one sentence.</param>
    /// <param name="run">Does it; gives the exit status.</param>
    /// <param name="hasWords">True if other arguments follow the file.</param>
    internal ReaderCommand(string name, string description, Func<ReaderContext, int> run, bool hasWords = false)
        : base(name, description)
    {
        _files = new(this, hasWords);
        _run = run;
        Add(_json);
        Add(_vmlinux = Vmlinux(name));
        Add(_btf);
        Add(_color.AcceptOnlyFromAmong("auto", "always", "never"));
        SetAction(parsed =>
        {
            CrashDumpOptions options = _files.Of(parsed, out IReadOnlyList<string> files);
            bool json = parsed.GetValue(_json);
            var style = TextStyle.For(Console.Out, Console.IsOutputRedirected, json ? "never" : parsed.GetRequiredValue(_color));
            options = DebugFileSearch.Resolved(options with { BtfFile = parsed.GetValue(_btf), Vmlinux = parsed.GetValue(_vmlinux) }, files);
            using var context = new ReaderContext(parsed, files, options, json, style);
            return Run(context, run);
        });
    }

    /// <inheritdoc/>
    public int Answer(ParseResult parsed, CrashDump dump, bool isJson, TextStyle style)
    {
        using var context = new ReaderContext(parsed, dump, isJson, style);
        return Run(context, _run);
    }

    // Where something cannot be read because the dump is not whole, that is said too.
    private static int Run(ReaderContext context, Func<ReaderContext, int> run)
    {
        int status;
        string? loss;

        // verify answers by its exit status, and map and report may write a file.
        string name = context.Parsed.CommandResult.Command.Name;
        if ((context.IsJson && name != "report") || name is not ("verify" or "map" or "report"))
            StandardStreams.RequireOutput();
        try
        {
            status = run(context);
            status = Math.Max(status, SayGaps(context, context.IsJson ? [] : [.. context.Gaps.Where(g => name != "verify" || g.ToString() != context.Loss)]));
            loss = status == 0 || context.Gaps.Any(g => g.ToString() == context.Loss) ? null : context.Loss;
        }
        catch (VmcoreException e) when (context.Loss is not null)
        {
            ReaderContext.Warn(e.Message);
            status = 1;
            loss = context.Loss;
        }

        // verify says more than that.
        if (loss is not null && name != "verify")
            ReaderContext.Warn(loss);
        return status;
    }

    // An answer that lacks something is no success: whoever goes by the exit status must not take it for whole.
    private static int SayGaps(ReaderContext context, IReadOnlyList<Finding> told)
    {
        const int MostShown = 16;
        foreach (Finding gap in told.Take(MostShown))
            ReaderContext.Warn($"the answer is not complete: {gap}");
        if (told.Count > MostShown)
            ReaderContext.Warn($"the answer is not complete: {told.Count - MostShown} more reasons (--json has them)");
        return context.Gaps.Count > 0 ? 1 : 0;
    }

    /// <summary>The option that names a file of BTF.</summary>
    internal static Option<string?> Btf() => new("--btf")
    {
        Description = "Take types from this BTF file, for example a copy of /sys/kernel/btf/vmlinux.",
        HelpName = "FILE",
    };

    /// <summary>The option that names a vmlinux. dmesg's <c>-x</c> is that of dmesg(1).</summary>
    /// <param name="command">The command.</param>
    internal static Option<string?> Vmlinux(string command) => new("--vmlinux", command == "dmesg" ? [] : ["-x"])
    {
        Description = "Take symbols and types from the vmlinux of the kernel that crashed, with debug information: "
            + "for kernels that do not bring them in the dump, for the types of all variables, and for lines of the source; "
            + "auto: look for it, by the build id.",
        HelpName = "FILE",
    };
}
