using System.CommandLine;

namespace Vmcore.Cli.Reader;

/// <summary>
/// A command that reads one dump: <c>vmcore NAME [OPTIONS] FILE …</c>. It brings the argument and the options that all have; a command adds its own
/// and says what it does with an opened dump.
/// </summary>
internal sealed class ReaderCommand : Command
{
    private readonly Argument<string> _file = new("FILE") { Description = "A raw vmcore, or a dump in any format: ELF, kdump-compressed, flattened." };
    private readonly Option<string?> _btf = new("--btf") { Description = "Take types from this BTF file, for example a copy of /sys/kernel/btf/vmlinux.", HelpName = "FILE" };
    private readonly Option<bool> _json = new("--json") { Description = "Write the answer as JSON (docs/json-schema.md)." };
    private readonly Option<string> _color = new("--color") { Description = "Colours: auto (if the output is a terminal and NO_COLOR is not set), always, never.", DefaultValueFactory = _ => "auto", HelpName = "WHEN" };

    /// <summary>Creates the command.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does, one sentence.</param>
    /// <param name="run">Does it; gives the exit status.</param>
    internal ReaderCommand(string name, string description, Func<ReaderContext, int> run)
        : base(name, description)
    {
        Add(_file);
        Add(_json);
        Add(_btf);
        Add(_color.AcceptOnlyFromAmong("auto", "always", "never"));
        SetAction(parsed =>
        {
            bool json = parsed.GetValue(_json);
            var style = TextStyle.For(Console.Out, Console.IsOutputRedirected, json ? "never" : parsed.GetRequiredValue(_color));
            using var context = new ReaderContext(parsed, parsed.GetRequiredValue(_file), parsed.GetValue(_btf), json, style);
            return run(context);
        });
    }
}
