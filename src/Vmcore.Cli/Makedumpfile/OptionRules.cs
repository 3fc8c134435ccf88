using Vmcore.Compression;
using Vmcore.Memmap;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>Which options and operands go together, mode by mode.</summary>
internal static class OptionRules
{
    private const CommandMode Everywhere = (CommandMode)0x3f;

    /// <summary>Modes that read a vmcore.</summary>
    private const CommandMode Reading = CommandMode.CreateDump | CommandMode.DumpDmesg | CommandMode.MemoryUsage;

    /// <summary>Modes that only put together what a run before has made: nothing is left to choose.</summary>
    private const CommandMode Joining = CommandMode.Rearrange | CommandMode.Reassemble;

    // The first rule that is broken is reported.
    private static readonly Rule[] s_rules =
    [
        new(Joining | CommandMode.GenerateVmcoreInfo,
            static o => o.Codec != PageCodec.None || o.Levels[0] != DumpLevel.None || o.Elf || o.VmcoreInfoFile is not null || o.Flattened, ""),
        new(CommandMode.Rearrange, static o => o.Operands.Count != 1, ""),
        new(CommandMode.Rearrange, static o => o.DryRun, "--dry-run cannot be used with -R."),
        new(CommandMode.Reassemble, static o => o.Split, ""),
        new(CommandMode.Reassemble, static o => o.DryRun, "--dry-run cannot be used with --reassemble."),
        new(CommandMode.Reassemble, static o => o.Operands.Count < 2, "--reassemble: expected the parts and the file to write."),
        new(Reading, static o => o.Elf && o.Codec != PageCodec.None, "-E cannot be used with -c, -l, -p or -z: an ELF file is not compressed."),
        new(Reading, static o => o.DryRun && o.DumpDmesg, "--dry-run cannot be used with --dump-dmesg."),
        new(Reading, static o => o.Flattened && o.Split, ""),
        new(Reading, static o => o.Split && o.Threads > 0, "--num-threads cannot used with --split."),
        new(Reading, static o => o.Elf && o.Threads > 0, "--num-threads cannot used with ELF format."),
        new(Reading, static o => o.Elf && o.ShareEqualPages, "-E cannot be used with --dedup: in an ELF file each page has its own place."),
        new(Reading, static o => o.PartialDmesg && !o.DumpDmesg, ""),
        new(Reading, static o => o.ShowCallerId && !o.DumpDmesg, "--caller-id goes with --dump-dmesg only."),
        new(CommandMode.CreateDump, static o => o.Split && o.Elf, "Options for splitting dumpfile cannot be used with Elf format."),
        new(CommandMode.CreateDump, static o => o.Split ? o.Operands.Count < 3 : o.Operands.Count != (o.Flattened ? 1 : 2), ""),
        new(CommandMode.CreateDump, static o => o.ManifestFile is not null && (o.Flattened || o.DryRun),
            "--manifest cannot be used with -F or --dry-run: there is no file to hash."),
        new(CommandMode.CreateDump,
            static o => o.ManifestFile is ""
                || (o.ManifestFile is { } file && o.DumpFiles.Select(Path.GetFullPath).Contains(Path.GetFullPath(file), StringComparer.Ordinal)),
            "--manifest: expected a file of its own."),
        new(Everywhere & ~CommandMode.CreateDump, static o => o.ManifestFile is not null, "--manifest goes with a dump only."),
        new(CommandMode.CreateDump, static o => o.ReportFile is not null && o.DryRun, "--report cannot be used with --dry-run."),
        new(CommandMode.CreateDump,
            static o => o.ReportFile is ""
                || (o.ReportFile is { } file && o.DumpFiles.Append(o.ManifestFile ?? "").Where(static f => f.Length > 0).Select(Path.GetFullPath)
                    .Contains(Path.GetFullPath(file), StringComparer.Ordinal)),
            "--report: expected a file of its own."),
        new(Everywhere & ~CommandMode.CreateDump, static o => o.ReportFile is not null, "--report goes with a dump only."),
        new(CommandMode.DumpDmesg, static o => o.Split || o.Operands.Count != (o.Flattened ? 1 : 2), ""),
        new(CommandMode.MemoryUsage, static o => o.Operands.Count != 1, ""),
        new(CommandMode.GenerateVmcoreInfo, static o => o.Vmlinux is null || o.Operands.Count != 0 || o.DryRun || o.GeneratedVmcoreInfo is "", ""),
        new(Everywhere, static o => o.Vmlinux is "" || (o.Vmlinux is not null && o.VmcoreInfoFile is not null), ""),
        new(CommandMode.CreateDump, static o => o.ExcludeUnusedMemmap && string.IsNullOrEmpty(o.WorkDirectory), "-e requires --work-dir"),
        new(Everywhere, static o => o.ConfigFile is "" || (o.SkipFailedErase && o.ConfigFile is null), ""),
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
