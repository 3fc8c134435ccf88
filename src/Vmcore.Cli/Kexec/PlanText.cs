using System.Globalization;
using Vmcore.Kexec;
using Vmcore.Ranges;

namespace Vmcore.Cli.Kexec;

/// <summary>Prints a plan for people.</summary>
internal static class PlanText
{
    /// <summary>Prints it.</summary>
    public static void Write(LoadPlan plan, TextWriter output)
    {
        Line(output, $"Kernel: {plan.Kernel.File} ({plan.Kernel.Form} {plan.Kernel.Release}, "
            + $"{(plan.Kernel.Details.Length == 0 ? "" : $"{plan.Kernel.Details}, ")}init_size 0x{plan.Kernel.InitSize:x})");
        Line(output, $"Crash kernel memory: {plan.Memory.Reserved >> 20} MiB reserved{CmaText(plan.System)}, "
            + $"{(plan.Memory.IsEstimate ? "roughly " : "about ")}{(plan.Memory.Needed + 0xfffff) >> 20} MiB "
            + $"needed{(plan.Memory.BounceBuffers == 0 ? "" : $" ({plan.Memory.BounceBuffers >> 20} MiB bounce buffers)")}");
        WriteChoice(plan.Choice, output);
        WritePmem(plan.System, output);
        if (plan.Layout is { } layout)
            WriteLayout(layout, output);
        if (plan.FileCommandLine is { } line)
        {
            string prefix = Platform.Of(plan.System).FileLoadPrefix > 0 ? " (the kernel puts elfcorehdr= in front)" : "";
            Line(output, $"Command line for kexec_file_load{prefix}:\n  {line.Text}");
        }

        foreach (string warning in plan.Warnings)
            Line(output, $"Warning: {warning}");
    }

    // Also what the call that is not tried would leave out: that is why it is not.
    private static void WriteChoice(SyscallChoice choice, TextWriter output)
    {
        Line(output, "System calls, in this order: "
            + $"{string.Join(", ", choice.Order.Select(static c => c == LoadSyscall.FileLoad ? "kexec_file_load" : "kexec_load"))}");
        Line(output, $"  {choice.Reason}");
        foreach ((string call, IReadOnlyList<LoadLoss> losses) in ((string, IReadOnlyList<LoadLoss>)[])[
            ("kexec_load", choice.LostByLoad), ("kexec_file_load", choice.LostByFileLoad)])
        {
            if (losses.Count == 0)
                Line(output, $"  With {call} nothing is lost that is set up here.");
            foreach (LoadLoss loss in losses)
                Line(output, $"  With {call}: {loss.Text}");
        }
    }

    private static string CmaText(RunningSystem system)
    {
        ulong bytes = 0;
        foreach (PhysicalRange range in system.CrashCma)
            bytes += range.Length;
        return bytes == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" ({bytes >> 20} MiB of it as CMA, which is in no dump)");
    }

    private static void WritePmem(RunningSystem system, TextWriter output)
    {
        if (system.Namespaces.Count == 0)
            return;
        Line(output, $"Persistent memory:");
        foreach (NdNamespace space in system.Namespaces)
        {
            string memmap = space.Memmap switch
            {
                MemmapPlace.Media =>
                    string.Create(CultureInfo.InvariantCulture, $"memmap on media, metadata {space.Metadata.Start:x}-{space.Metadata.End - 1:x}"),
                MemmapPlace.Ram => "memmap in RAM",
                MemmapPlace.SystemRam => "used as System RAM",
                _ => space.Note ?? "no memmap",
            };
            Line(output, $"  {space.Range.Start:x}-{space.Range.End - 1:x} {space.Title}: {memmap}");
        }
    }

    private static void WriteLayout(LoadLayout layout, TextWriter output)
    {
        Line(output, $"Region: {layout.Region.Start:x}-{layout.Region.End - 1:x}");
        Line(output, $"Segments:");
        foreach (Segment segment in layout.Segments)
        {
            Line(
                output,
                $"  {segment.Memory.Start:x}-{segment.Memory.End - 1:x} {segment.Name,-11} bufsz 0x{segment.Data.Length:x} "
                    + $"memsz 0x{segment.Memory.Length:x}{(segment.IsVerified ? " verified" : "")}");
        }

        Line(output, $"Entry: 0x{layout.Entry:x}");
        Line(output, $"SHA-256 checked by the stub: {(layout.Digest.Length == 0 ? "none" : layout.Digest)}");
        Line(output, $"ELF core header: {layout.Headers.Count} program headers");
        foreach (ProgramHeader header in layout.Headers)
        {
            Line(
                output,
                $"  {(header.Type == 4 ? "NOTE" : "LOAD")} {header.Memory.Start:x}-{header.Memory.End - 1:x} vaddr {header.Virtual:x} "
                    + $"flags {header.Flags:x} {header.Kind}{(header.Title.Length == 0 ? "" : $" {header.Title}")}");
        }

        Line(output, $"EFI runtime services: {(layout.HandsEfiOver ? "handed over" : "none")}");
        Line(output, $"Memory map of the capture kernel:");
        foreach (MemoryMapEntry entry in layout.Memory)
            Line(output, $"  {entry.Range.Start:x}-{entry.Range.End - 1:x} {entry.Type}");
        Line(output, $"Command line for kexec_load:\n  {layout.CommandLine.Text}");
    }

    private static void Line(TextWriter output, string text) => output.WriteLine(TerminalText.Clean(text));
}
