using Vmcore.Compression;
using Vmcore.Memmap;
using Vmcore.Ranges;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>What the command is asked to do. Of several the first in this order counts, as in the tool of today.</summary>
[Flags]
internal enum CommandMode
{
    /// <summary>Write a vmcoreinfo file from a vmlinux: <c>-g</c>.</summary>
    GenerateVmcoreInfo = 1,

    /// <summary>Put a flattened stream together: <c>-R</c>.</summary>
    Rearrange = 2,

    /// <summary>Join the parts of a split dump: <c>--reassemble</c>.</summary>
    Reassemble = 4,

    /// <summary>Write the kernel's log: <c>--dump-dmesg</c>.</summary>
    DumpDmesg = 8,

    /// <summary>Show what the memory is used for: <c>--mem-usage</c>.</summary>
    MemoryUsage = 16,

    /// <summary>Write a dump.</summary>
    CreateDump = 32,
}

/// <summary>The command line of <c>makedumpfile</c>: what <see cref="OptionTable"/> made of it.</summary>
internal sealed class MakedumpfileOptions
{
    private readonly List<string> _operands = [];

    /// <summary>Dump levels: the first is used, the next where the target is too small for it.</summary>
    internal List<DumpLevel> Levels { get; set; } = [DumpLevel.None];

    internal PageCodec Codec { get; set; }

    internal bool Elf { get; set; }

    internal bool Flattened { get; set; }

    internal bool Overwrite { get; set; }

    internal bool Help { get; set; }

    internal bool Version { get; set; }

    internal bool DryRun { get; set; }

    internal bool CheckParams { get; set; }

    internal bool IncludePmemUserData { get; set; }

    internal bool NoMapping { get; set; }

    /// <summary>True to leave out the memmap of what is left out.</summary>
    internal bool ExcludeUnusedMemmap { get; set; }

    /// <summary>The folder for temporary files, of which there are none; null if none was given.</summary>
    internal string? WorkDirectory { get; set; }

    internal int? Threads { get; set; }

    internal long? SizeLimit { get; set; }

    internal bool ShareEqualPages { get; set; }

    internal TimeSpan? TimeLimit { get; set; }

    internal string? VmcoreInfoFile { get; set; }

    /// <summary>Raw images of RAM, as FILE@ADDRESS until the command line is read; empty for a file in any other format.</summary>
    internal List<string> RawImages { get; } = [];

    /// <summary>The physical address of the first byte of each raw image.</summary>
    internal IReadOnlyList<ulong> RawAddresses { get; private set; } = [];

    /// <summary>The kernel with its debug information; null for none.</summary>
    internal string? Vmlinux { get; set; }

    /// <summary>The file with the rules by which data is erased; null for none.</summary>
    internal string? ConfigFile { get; set; }

    /// <summary>True to go on where a rule cannot be applied.</summary>
    internal bool SkipFailedErase { get; set; }

    /// <summary>The file that -g writes; null without -g.</summary>
    internal string? GeneratedVmcoreInfo { get; set; }

    /// <summary>Where the hashes of the dump go; null for none.</summary>
    internal string? ManifestFile { get; set; }

    /// <summary>Where the report of the crash goes; null for none.</summary>
    internal string? ReportFile { get; set; }

    internal List<PhysicalRange> PmemRanges { get; } = [];

    internal MessageKind MessageLevel { get; set; } = MessageKind.Progress | MessageKind.Common | MessageKind.Error;

    /// <summary>Kinds of messages that are shown whatever the message level is.</summary>
    internal MessageKind AlsoShown { get; set; }

    internal bool Rearrange { get; set; }

    internal bool Reassemble { get; set; }

    internal bool DumpDmesg { get; set; }

    internal bool PartialDmesg { get; set; }

    internal bool ShowCallerId { get; set; }

    internal bool MemoryUsage { get; set; }

    internal bool Split { get; set; }

    /// <summary>Pages are given to the parts of a split dump in blocks of so many KiB; 0 for the default.</summary>
    internal int SplitBlockSize { get; set; }

    /// <summary>The kernel address to translate; null for none.</summary>
    internal ulong? VirtualAddress { get; set; }

    /// <summary>What is asked for: of several the first in this order counts, as in the tool of today.</summary>
    internal CommandMode Mode =>
        GeneratedVmcoreInfo is not null ? CommandMode.GenerateVmcoreInfo
        : Rearrange ? CommandMode.Rearrange
        : Reassemble ? CommandMode.Reassemble
        : DumpDmesg ? CommandMode.DumpDmesg
        : MemoryUsage ? CommandMode.MemoryUsage
        : CommandMode.CreateDump;

    /// <summary>What is no option, in the order given.</summary>
    internal IReadOnlyList<string> Operands => _operands;

    internal string Input => _operands[0];

    /// <summary>The files that are read.</summary>
    internal IEnumerable<string> Inputs => Mode switch
    {
        CommandMode.Rearrange or CommandMode.GenerateVmcoreInfo => [],
        CommandMode.Reassemble => _operands.SkipLast(1),
        _ => [.. _operands.Take(1), .. RawImages.Skip(1)],
    };

    /// <summary>The file to write; null if it goes to standard output. Where there are several, the last.</summary>
    internal string? Output => _operands.Count > 1 || Rearrange ? _operands[^1] : null;

    /// <summary>The files of a dump: one, or the parts of a split one; empty if it goes to standard output.</summary>
    internal IReadOnlyList<string> DumpFiles => Split ? [.. _operands.Skip(1)] : Output is { } output ? [output] : [];

    /// <summary>Reads the command line; <see cref="OptionRules.Check"/> comes later, since help and version need nothing else to be right.</summary>
    /// <exception cref="UsageException">An option is unknown, lacks its value, or has an impossible one.</exception>
    internal void Parse(IReadOnlyList<string> args)
    {
        List<ParsedOption> options = [];
        string? error = OptionTable.CreateParser().Parse(args, options, _operands);

        // Known first: a wrong parameter is reported differently under --check-params.
        CheckParams = options.Exists(o => o.Key == "check-params");
        if (error is not null)
            throw new UsageException("makedumpfile: " + error);
        foreach (ParsedOption option in options)
            OptionTable.All.First(o => o.Key == option.Key).Apply(this, option.Value ?? "");
        MessageLevel |= AlsoShown;
        if (RawImages.Count == 0)
            return;
        string[] files;
        try
        {
            files = Cli.RawImages.Split(RawImages, out ulong[] addresses);
            RawAddresses = addresses;
        }
        catch (FileAccessException e)
        {
            throw new UsageException("--raw: " + e.Message);
        }

        RawImages.Clear();
        RawImages.AddRange(files);

        // They stand where the input does.
        _operands.Insert(0, files[0]);
    }
}
