using Vmcore.Compression;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>Which options and operands go together, mode by mode.</summary>
internal static class OptionRules
{
    private const CommandMode Everywhere = (CommandMode)0x3f;

    // The first rule that is broken is reported.
    private static readonly Rule[] s_rules =
    [
        new(CommandMode.CreateDump, static o => o.Elf && o.Codec != PageCodec.None, "-E cannot be used with -c, -l, -p or -z: an ELF file is not compressed."),
        new(CommandMode.CreateDump, static o => o.Elf && o.Threads > 0, "--num-threads cannot used with ELF format."),
        new(CommandMode.CreateDump, static o => o.Operands.Count != (o.Flattened ? 1 : 2), ""),
        new(Everywhere, static o => o.Operands.Any(p => p.Length == 0) || o.VmcoreInfoFile is "", ""),
    ];

    /// <summary>Checks a command line.</summary>
    /// <exception cref="UsageException">It asks for what does not go together.</exception>
    internal static void Check(MakedumpfileOptions options)
    {
        foreach (Rule rule in s_rules)
        {
            if ((rule.Modes & options.Mode) != 0 && rule.IsBroken(options))
                throw new UsageException(rule.Message);
        }
    }

    private sealed record Rule(CommandMode Modes, Func<MakedumpfileOptions, bool> IsBroken, string Message);
}
