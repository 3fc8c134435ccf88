using System.CommandLine;

namespace Vmcore.Cli.Reader;

/// <summary>The commands that read a dump, one file each in this folder.</summary>
internal static class ReaderCommands
{
    /// <summary>All of them, in the order of <c>--help</c>.</summary>
    internal static IEnumerable<Command> All() =>
    [
        Report.ReportCommand.Create(),
        DmesgCommand.Create(),
        BtCommand.Create(),
        PsCommand.Create(),
        Processes.FilesCommand.Create(),
        Processes.MapsCommand.Create(),
        Processes.GcoreCommand.Create(),
        LocksCommand.Create(),
        RunqCommand.Create(),
        ModulesCommand.Create(),
        MountsCommand.Create(),
        Pmem.PmemCommand.Create(),
        Map.MapCommand.Create(),
        Triage.TriageCommand.Create(),
        VerifyCommand.Create(),
        PrintCommand.Create(),
        TypeCommand.Create(),
        SymbolCommand.Create(),
        ReadCommand.Create(),
        VtopCommand.Create(),
        Exec.ExecCommand.Create(),
    ];
}
