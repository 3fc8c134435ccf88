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
        KernelImage kernel = plan.Kernel;
        Line(output, $"Kernel: {kernel.File} ({kernel.Form} {kernel.Release}, boot protocol 0x{kernel.ProtocolVersion:x}, init_size 0x{kernel.InitSize:x})");
        string needed = plan.Memory.IsEstimate ? "roughly " : "about ";
        string buffers = plan.Memory.BounceBuffers == 0 ? "" : $" ({plan.Memory.BounceBuffers >> 20} MiB bounce buffers)";
        Line(output,
            $"Crash kernel memory: {plan.Memory.Reserved >> 20} MiB reserved, {needed}{(plan.Memory.Needed + 0xfffff) >> 20} MiB needed{buffers}");
        IEnumerable<string> calls = plan.Order.Select(static c => c == LoadSyscall.FileLoad ? "kexec_file_load" : "kexec_load");
        Line(output, $"System calls, in this order: {string.Join(", ", calls)}");
        WritePmem(plan.Machine, output);
        if (plan.Layout is { } layout)
            WriteLayout(layout, output);
        if (plan.FileCommandLine is { } line)
            Line(output, $"Command line for kexec_file_load (the kernel puts elfcorehdr= in front):\n  {line.Text}");
        foreach (string warning in plan.Warnings)
            Line(output, $"Warning: {warning}");
        foreach (string warning in plan.FileWarnings)
            Line(output, $"Warning, if kexec_file_load is used: {warning}");
    }

    private static void WritePmem(Machine machine, TextWriter output)
    {
        if (machine.Namespaces.Count == 0)
            return;
        Line(output, $"Persistent memory:");
        foreach (PmemNamespace space in machine.Namespaces)
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
            string verified = segment.IsVerified ? " verified" : "";
            PhysicalRange memory = segment.Memory;
            Line(
                output,
                $"  {memory.Start:x}-{memory.End - 1:x} {segment.Name,-11} bufsz 0x{segment.Data.Length:x} memsz 0x{memory.Length:x}{verified}");
        }

        Line(output, $"Entry: 0x{layout.Entry:x}");
        Line(output, $"SHA-256 checked by the stub: {(layout.Digest.Length == 0 ? "none" : layout.Digest)}");
        Line(output, $"ELF core header: {layout.Headers.Count} program headers");
        foreach (ProgramHeader header in layout.Headers)
        {
            string type = header.Type == 4 ? "NOTE" : "LOAD", title = header.Title.Length == 0 ? "" : $" {header.Title}";
            PhysicalRange memory = header.Memory;
            Line(output, $"  {type} {memory.Start:x}-{memory.End - 1:x} vaddr {header.Virtual:x} flags {header.Flags:x} {header.Kind}{title}");
        }

        Line(output, $"EFI runtime services: {(layout.HandsEfiOver ? "handed over" : "none")}");
        Line(output, $"Memory map of the capture kernel:");
        foreach (E820Entry entry in layout.Memory)
            Line(output, $"  {entry.Range.Start:x}-{entry.Range.End - 1:x} {entry.Type}");
        Line(output, $"Command line for kexec_load:\n  {layout.CommandLine.Text}");
    }

    private static void Line(TextWriter output, FormattableString text) => output.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
