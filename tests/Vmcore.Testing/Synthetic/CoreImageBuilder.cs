using System.Buffers.Binary;
using System.Text;

namespace Vmcore.Testing;

/// <summary>Writes ELF headers and notes, and places the segments in the file.</summary>
internal static class CoreImageBuilder
{
    private const uint ReadWriteExecute = 7;
    private const int HeaderSize = 64, ProgramHeaderSize = 56, MaxCount = 0xffff;

    public static CoreImage Build(SyntheticMachine machine, ElfShape shape)
    {
        bool qemu = shape.Producer == CoreProducer.Qemu;
        List<CoreSegment> segments = Plan(machine, shape);
        byte[] notes = CoreNotes.Create(machine, shape);
        int distinct = segments.Count;
        int count = segments.Count + shape.ExtraSegments + 1;
        int headersAt = qemu ? 192 : HeaderSize;
        int tableEnd = headersAt + (count * ProgramHeaderSize);
        // QEMU packs everything; the kernel starts each part on a page. A section header 0 follows the table if the count needs it.
        int sectionsAt = qemu ? HeaderSize : count >= MaxCount ? tableEnd : 0;
        if (sectionsAt == tableEnd)
            tableEnd += HeaderSize;
        int notesAt = qemu ? tableEnd : Align(tableEnd);
        ulong data = (ulong)(qemu ? notesAt + notes.Length : Align(notesAt + notes.Length));

        ulong offset = data;
        for (int i = 0; i < distinct; i++)
        {
            // The kernel serves whole pages; a segment that starts inside a page starts inside one of the file too.
            CoreSegment s = segments[i];
            ulong inPage = qemu ? 0 : s.Physical & 4095;
            segments[i] = s with { Offset = offset + inPage };
            offset += qemu ? s.FileSize : (inPage + s.MemorySize + 4095) & ~4095ul;
        }

        AddExtra(segments, shape.ExtraSegments);
        byte[] head = new byte[data];
        WriteHeader(head, qemu, count, headersAt, sectionsAt);
        WriteProgramHeader(head.AsSpan(headersAt), 4, 0, (ulong)notesAt, 0, 0, (ulong)notes.Length, (ulong)notes.Length);
        for (int i = 0; i < segments.Count; i++)
        {
            CoreSegment s = segments[i];
            WriteProgramHeader(head.AsSpan(headersAt + ((i + 1) * ProgramHeaderSize)), 1, s.Flags, s.Offset, s.Virtual, s.Physical, s.FileSize, s.MemorySize);
        }

        notes.CopyTo(head.AsSpan(notesAt));
        return new(machine, head, segments);
    }

    private static List<CoreSegment> Plan(SyntheticMachine machine, ElfShape shape)
    {
        MachineOptions o = machine.Options;
        bool qemu = shape.Producer == CoreProducer.Qemu;
        List<CoreSegment> segments = [];
        void Add(ulong start, ulong end, uint flags, bool pmem)
        {
            ulong trimmed = pmem ? 0 : Math.Min(end - start, (ulong)shape.TrimmedPages * 4096);
            segments.Add(new(start, qemu ? start : o.PageOffset() + start, end - start - trimmed, end - start, qemu ? 0 : flags, 0) { IsPmem = pmem });
        }

        if (!qemu)
            segments.Add(new(o.KernelPhysicalStart, o.Text(), MachineOptionsExtensions.ImageSize, MachineOptionsExtensions.ImageSize, ReadWriteExecute, 0));
        foreach ((ulong start, ulong end) in machine.AllRam)
        {
            ulong from = shape.Producer == CoreProducer.FileLoad ? Math.Max(start, 1 << 20) : start;
            (ulong crash, ulong length) = qemu ? default : o.CrashKernel;
            if (length == 0 || crash >= end || crash + length <= from)
            {
                if (from < end)
                    Add(from, end, ReadWriteExecute, pmem: false);
                continue;
            }

            if (from < crash)
                Add(from, crash, ReadWriteExecute, pmem: false);
            if (crash + length < end)
                Add(crash + length, end, ReadWriteExecute, pmem: false);
        }

        for (int i = 0; i < segments.Count; i++)
            segments[i] = segments[i] with { IsRepeated = machine.Repeated.Any(r => r.Start == segments[i].Physical) };
        foreach (PmemRegion region in machine.Pmem)
        {
            if (shape.Pmem is PmemSegments.WholeRegions or PmemSegments.WholeRegionsUnmarked)
                Add(region.Start, region.End, ReadWriteExecute | (shape.Pmem == PmemSegments.WholeRegions ? shape.PmemFlag : 0), pmem: true);
            else if (shape.Pmem == PmemSegments.MetadataOnly)
            {
                foreach (SyntheticNamespace space in region.Spaces.Where(s => s.HasMemmap && s.Options.Map == SyntheticPmemMap.Dev))
                    Add(space.Start, space.DataPfn << 12, ReadWriteExecute | shape.PmemFlag, pmem: true);
            }
        }

        return segments;
    }

    /// <summary>Single pages of the first RAM segment, in the same place of the file.</summary>
    private static void AddExtra(List<CoreSegment> segments, int extra)
    {
        CoreSegment ram = segments.First(s => !s.IsPmem && s.FileSize >= 4096 && (s.Physical & 4095) == 0);
        ulong pages = ram.FileSize >> 12;
        for (int i = 0; i < extra; i++)
        {
            ulong at = (ulong)i % pages << 12;
            segments.Add(ram with { Physical = ram.Physical + at, Virtual = ram.Virtual + at, Offset = ram.Offset + at, FileSize = 4096, MemorySize = 4096 });
        }
    }

    private static int Align(int value) => (value + 4095) & ~4095;

    private static void WriteHeader(Span<byte> b, bool qemu, int count, int headersAt, int sectionsAt)
    {
        bool extended = count >= MaxCount;
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(b);
        BinaryPrimitives.WriteUInt16LittleEndian(b[16..], 4);
        BinaryPrimitives.WriteUInt16LittleEndian(b[18..], 62);
        BinaryPrimitives.WriteUInt32LittleEndian(b[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(b[32..], (ulong)headersAt);
        BinaryPrimitives.WriteUInt64LittleEndian(b[40..], (ulong)sectionsAt);
        BinaryPrimitives.WriteUInt16LittleEndian(b[52..], (ushort)(qemu ? 8 : HeaderSize));
        BinaryPrimitives.WriteUInt16LittleEndian(b[54..], ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(b[56..], (ushort)(extended ? MaxCount : count));
        if (sectionsAt == 0)
            return;
        BinaryPrimitives.WriteUInt16LittleEndian(b[58..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(b[60..], 1);
        if (extended)
            BinaryPrimitives.WriteUInt32LittleEndian(b[(sectionsAt + 44)..], (uint)count);
    }

    private static void WriteProgramHeader(Span<byte> b, uint type, uint flags, ulong offset, ulong va, ulong pa, ulong fileSize, ulong memorySize)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(b, type);
        BinaryPrimitives.WriteUInt32LittleEndian(b[4..], flags);
        BinaryPrimitives.WriteUInt64LittleEndian(b[8..], offset);
        BinaryPrimitives.WriteUInt64LittleEndian(b[16..], va);
        BinaryPrimitives.WriteUInt64LittleEndian(b[24..], pa);
        BinaryPrimitives.WriteUInt64LittleEndian(b[32..], fileSize);
        BinaryPrimitives.WriteUInt64LittleEndian(b[40..], memorySize);
        BinaryPrimitives.WriteUInt64LittleEndian(b[48..], type == 4 ? 4ul : 0);
    }
}

/// <summary>The notes of a core.</summary>
internal static class CoreNotes
{
    private const int PrStatusSize = 336, QemuStateSize = 440;

    public static byte[] Create(SyntheticMachine machine, ElfShape shape)
    {
        using var notes = new MemoryStream();
        for (int cpu = 0; cpu < shape.Cpus; cpu++)
        {
            if (!shape.OfflineCpus.Contains(cpu))
                Add(notes, "CORE", 1, PrStatus(machine, cpu));
        }

        if (shape.Producer == CoreProducer.Qemu)
        {
            for (int cpu = 0; cpu < shape.Cpus; cpu++)
            {
                byte[] state = new byte[QemuStateSize];
                BinaryPrimitives.WriteUInt32LittleEndian(state, 1);
                BinaryPrimitives.WriteUInt32LittleEndian(state.AsSpan(4), QemuStateSize);
                Add(notes, "QEMU", 0, state);
            }
        }

        if (shape.Vmcoreinfo)
        {
            string text = machine.Vmcoreinfo;
            // A live machine has not crashed.
            if (shape.Producer == CoreProducer.Qemu)
                text = text[..text.IndexOf("CRASHTIME", StringComparison.Ordinal)];
            Add(notes, "VMCOREINFO", 0, Encoding.ASCII.GetBytes(text));
        }

        return notes.ToArray();
    }

    private static byte[] PrStatus(SyntheticMachine machine, int cpu)
    {
        byte[] status = new byte[PrStatusSize];
        BinaryPrimitives.WriteUInt32LittleEndian(status.AsSpan(32), (uint)(100 + cpu));
        for (int register = 0; register < 27; register++)
            BinaryPrimitives.WriteUInt64LittleEndian(status.AsSpan(112 + (register * 8)), (ulong)((cpu << 8) + register));
        BinaryPrimitives.WriteUInt64LittleEndian(status.AsSpan(112 + (16 * 8)), machine.Options.Text() + 0x1000 + ((ulong)cpu * 16));
        BinaryPrimitives.WriteUInt64LittleEndian(status.AsSpan(112 + (19 * 8)), machine.PageOffset + machine.Options.KernelPhysicalStart + 0x200000);
        return status;
    }

    private static void Add(MemoryStream notes, string name, uint type, byte[] description)
    {
        Span<byte> header = stackalloc byte[12];
        BinaryPrimitives.WriteInt32LittleEndian(header, name.Length + 1);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], description.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], type);
        notes.Write(header);
        WritePadded(notes, Encoding.ASCII.GetBytes(name + "\0"));
        WritePadded(notes, description);
    }

    private static void WritePadded(MemoryStream notes, byte[] bytes)
    {
        notes.Write(bytes);
        notes.Write(new byte[-bytes.Length & 3]);
    }
}
