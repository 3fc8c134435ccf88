using System.Globalization;
using Vmcore.Formats.Elf;
using Vmcore.Opening;

namespace Vmcore.Verification;

/// <summary>Checks the segments of an ELF core file, and reads all of them.</summary>
internal sealed class ElfVerifier(OpenedDump dump, VerifyReport report)
{
    internal void Run(Action<ulong, ulong>? progress)
    {
        CheckOverlaps();
        int shift = dump.Memory.PageShift;
        ulong total = 0, done = 0;
        foreach (ElfSegment load in dump.Loads)
            total += load.FileSize >> shift;
        report.Pages = total;
        if (dump.VmcoreInfo is null)
            report.Add("header", null, "vmcoreinfo", "none", "the kernel's description of itself");
        byte[] block = new byte[1 << 20];
        foreach (ElfSegment load in dump.Loads)
        {
            for (ulong at = 0; at < load.FileSize;)
            {
                int step = (int)Math.Min((ulong)block.Length, load.FileSize - at);
                int read = dump.Source.Read((long)(load.Offset + at), block.AsSpan(0, step));
                report.PagesRead += (ulong)Math.Max(read, 0) >> shift;
                if (read != step)
                {
                    report.Add("segment", (long)(load.Offset + at) + Math.Max(read, 0), $"PT_LOAD of {Hex(load.PhysicalAddress)}",
                        "bytes that cannot be read", $"{step - Math.Max(read, 0)} bytes");
                    break;
                }

                at += (ulong)step;
                done += (ulong)step >> shift;
                progress?.Invoke(done, total);
            }
        }
    }

    private static string Hex(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    // The image of the kernel is in the file twice.
    private bool IsImage(ElfSegment load) => dump.Kernel?.IsImage(load) ?? false;

    private void CheckOverlaps()
    {
        ElfSegment[] withData = [.. dump.Loads.Where(l => l.FileSize > 0).OrderBy(l => l.Offset)];
        for (int i = 1; i < withData.Length; i++)
        {
            ElfSegment last = withData[i - 1], next = withData[i];
            bool same = next.Offset - last.Offset == unchecked(next.PhysicalAddress - last.PhysicalAddress);
            if (last.Offset + last.FileSize > next.Offset && !same)
                report.Add("segment", (long)next.Offset, $"PT_LOAD of {Hex(next.PhysicalAddress)}",
                    $"bytes that the PT_LOAD of {Hex(last.PhysicalAddress)} has too", "bytes of its own");
        }

        ElfSegment[] byAddress = [.. dump.Loads.Where(l => !IsImage(l))
            .OrderBy(l => l.PhysicalAddress)];
        for (int i = 1; i < byAddress.Length; i++)
        {
            ElfSegment last = byAddress[i - 1], next = byAddress[i];

            // QEMU's paging dumps name the same memory, and for it the same bytes, once for each virtual address.
            bool same = last.FileSize == 0 || next.FileSize == 0 || unchecked(next.Offset - last.Offset) == next.PhysicalAddress - last.PhysicalAddress;
            if (last.PhysicalEnd > next.PhysicalAddress && !same && last.VirtualAddress != next.VirtualAddress - (next.PhysicalAddress - last.PhysicalAddress))
                report.Add("segment", (long)next.Offset, $"PT_LOAD of {Hex(next.PhysicalAddress)}",
                    $"memory that the PT_LOAD of {Hex(last.PhysicalAddress)} has too", "memory of its own");
        }
    }
}
