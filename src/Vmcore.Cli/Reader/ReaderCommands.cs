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
        WorkqueuesCommand.Create(),
        IoCommand.Create(),
        WhatisCommand.Create(),
        SlabCommand.Create(),
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
        Code.DisCommand.Create(),
        VtopCommand.Create(),
        Exec.ExecCommand.Create(),
    ];
}
