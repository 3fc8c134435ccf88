using System.CommandLine;
using Vmcore.Cli.Json;
using Vmcore.Cli.Reader;
using Vmcore.Opening;

namespace Vmcore.Cli.Info;

/// <summary><c>vmcore info FILE…</c></summary>
internal sealed class InfoCommand : Command, IDumpReader
{
    private readonly Option<bool> _json = new("--json") { Description = "Write all of it as JSON." };
    private readonly Option<bool> _hash = new("--hash") { Description = "Hash the pmem's metadata however large it is; without it, up to 1 GiB." };

    /// <summary>Creates the command.</summary>
    internal InfoCommand()
        : base("info", "Show what a dump is and what is in it: the crash, kernel, memory, pmem, page classes.")
    {
        Option<string?> vmlinux = ReaderCommand.Vmlinux("info"), btf = ReaderCommand.Btf();
        var files = new DumpFiles(this, hasWords: false);
        foreach (Option option in (ReadOnlySpan<Option>)[_json, _hash, vmlinux, btf])
            Add(option);
        SetAction(parsed =>
        {
            StandardStreams.RequireOutput();
            CrashDumpOptions options = files.Of(parsed, out IReadOnlyList<string> paths);
            options = Reader.Code.DebugFileSearch.Resolved(options with { Vmlinux = parsed.GetValue(vmlinux), BtfFile = parsed.GetValue(btf) }, paths);
            using CrashDump dump = ReaderContext.Open(paths, options);
            return Answer(parsed, dump, parsed.GetValue(_json), TextStyle.Plain);
        });
    }

    /// <inheritdoc/>
    public int Answer(ParseResult parsed, CrashDump dump, bool isJson, TextStyle style)
    {
        DumpInfo info = InfoCollector.Collect(dump, parsed.GetValue(_hash));
        if (!isJson)
        {
            Console.Out.Write(InfoText.Build(info));
            return 0;
        }

        JsonText.WriteAsMade(info, Console.Out);
        Console.Out.Write('\n');
        return 0;
    }
}
