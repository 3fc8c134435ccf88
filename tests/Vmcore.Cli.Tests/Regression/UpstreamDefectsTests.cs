using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using Vmcore.Cli.Tests.Conformance;
using Vmcore.Memory;

namespace Vmcore.Cli.Tests.Regression;

/// <summary>Ten defects of makedumpfile 1.7, each with what Vmcore does instead. The command runs as a user runs it.</summary>
public sealed class UpstreamDefectsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static string Sample => RealCrash.Get("sample rfc-v2-6.1").Path;

    private string Input => _folder.File("input");

    private string Output => _folder.File("dump");

    public void Dispose() => _folder.Dispose();

    /// <summary>e_shentsize decides how many bytes overrun a stack buffer.</summary>
    [Theory]
    [InlineData(0xffff)]
    [InlineData(0)]
    [InlineData(64)]
    public void Defect01SectionHeaderSizeOfAnExtendedHeaderOverrunsNothing(ushort size)
    {
        byte[] core = File.ReadAllBytes(Sample);
        ushort count = BinaryPrimitives.ReadUInt16LittleEndian(core.AsSpan(56));
        long section = core.Length;
        Array.Resize(ref core, core.Length + 0x1_0000);
        BinaryPrimitives.WriteInt64LittleEndian(core.AsSpan(40), section);
        BinaryPrimitives.WriteUInt16LittleEndian(core.AsSpan(56), 0xffff);
        BinaryPrimitives.WriteUInt16LittleEndian(core.AsSpan(58), size);
        core.AsSpan((int)section).Fill(0x41);
        BinaryPrimitives.WriteUInt32LittleEndian(core.AsSpan((int)section + 44), count);
        File.WriteAllBytes(Input, core);
        Tool.Dump("-l", "-d", "31", Input, Output);
        Tool.Dump("-l", "-d", "31", Sample, _folder.File("reference"));
        Assert.Equal(File.ReadAllBytes(_folder.File("reference")), File.ReadAllBytes(Output));
    }

    /// <summary>A truncated core ends in SIGBUS.</summary>
    [Theory]
    [InlineData(0.9)]
    [InlineData(0.5)]
    [InlineData(0.02)]
    public void Defect02TruncatedCoreIsReadAsFarAsItGoes(double part)
    {
        byte[] core = File.ReadAllBytes(Sample);
        File.WriteAllBytes(Input, core[..(int)(core.Length * part)]);
        ToolResult result = Tool.Run(Executable.Makedumpfile, "-l", "-d", "0", Input, Output);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("truncated or incomplete", result.Error, StringComparison.Ordinal);
        using CrashDump dump = CrashDump.Open(Output);
        Assert.True(dump.IsIncomplete);
        Assert.True(dump.Memory.MaxPfn > 0);
    }

    /// <summary>Filtering a dump again that has no vmcoreinfo ends in SIGSEGV.</summary>
    [Fact]
    public void Defect03DumpWithoutVmcoreInfoCanBeFilteredAgain()
    {
        Tool.Dump("-c", "-d", "1", Sample, Input);
        byte[] dump = File.ReadAllBytes(Input);
        dump.AsSpan(4096 + 32, 16).Clear(); // Where vmcoreinfo is, and its length.
        int at;
        while ((at = dump.AsSpan(0, 65536).IndexOf("VMCOREINFO\0"u8)) >= 0)
            "NOTHING_OF"u8.CopyTo(dump.AsSpan(at));
        File.WriteAllBytes(Input, dump);
        // The note lies in the machine's memory, and is found there.
        Tool.Dump("-c", "-d", "31", Input, Output);
        using (CrashDump filtered = CrashDump.Open(Output))
            Assert.Null(filtered.ClassificationProblem);
        Tool.Dump("-f", "-l", "-d", "1", Input, Output);
        using CrashDump before = CrashDump.Open(Input), after = CrashDump.Open(Output);
        byte[] expected = new byte[4096], found = new byte[4096];
        Assert.Equal(before.Unfiltered.ReadPage(0x9600, expected), after.Memory.ReadPage(0x9600, found));
        Assert.Equal(expected, found);
    }

    /// <summary>A length in the data decides how much is written into a buffer of one page.</summary>
    [Theory]
    [InlineData("-p", 4)]
    [InlineData("-l", 2)]
    [InlineData("-c", 1)]
    [InlineData("-z", 0x20)]
    public void Defect04ABlockThatUnpacksToMoreThanAPageIsADamagedPage(string codec, int flag)
    {
        Tool.Dump(codec, "-d", "31", Sample, Input);
        byte[] bytes = File.ReadAllBytes(Input);
        long offset;
        using (CrashDump dump = CrashDump.Open(Input))
        {
            Assert.True(dump.Kdump!.TryGetDescriptor(0x9600, out Formats.Kdump.PageDescriptor page));
            Assert.Equal((uint)flag, page.Flags);
            offset = page.Offset;
        }

        // For snappy this is the length of what comes out: 2^28 − 1; for the others it is no valid beginning.
        ((ReadOnlySpan<byte>)[0xff, 0xff, 0xff, 0x7f]).CopyTo(bytes.AsSpan((int)offset));
        File.WriteAllBytes(Input, bytes);
        ToolResult result = Tool.Run(Executable.Makedumpfile, "-l", "-d", "31", Input, Output);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("1 pages could not be read", result.Error, StringComparison.Ordinal);
    }

    /// <summary>The size of the output is kept in an int: what is written beyond 2 GiB is lost when the limit is reached.</summary>
    [Fact]
    public void Defect05DumpsBeyondTwoGibibytesAreCutRightly()
    {
        // Three descriptors beyond 2 GiB: what counts is where the bytes are, so a file with a hole will do.
        const long Far = 3L << 30;
        string far = _folder.File("far");
        Tool.Dump("-d", "31", Sample, Input);
        byte[] bytes = File.ReadAllBytes(Input);
        long descriptors, first;
        using (CrashDump dump = CrashDump.Open(Input))
        {
            descriptors = (1 + dump.Kdump!.Header.SubHeaderBlocks + dump.Kdump.Header.BitmapBlocks) * 4096L;
            // The first descriptor's page need not be the first in the file: behind the descriptors comes what an analysis needs first.
            ulong pages = (ulong)dump.Unfiltered.PresentPages().Count();
            first = Enumerable.Range(0, (int)pages).Min(i => BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan((int)descriptors + (i * 24))));
            for (ulong i = 0; i < pages; i++)
            {
                Span<byte> descriptor = bytes.AsSpan((int)(descriptors + ((long)i * 24)), 8);
                BinaryPrimitives.WriteInt64LittleEndian(descriptor, BinaryPrimitives.ReadInt64LittleEndian(descriptor) + Far);
            }
        }

        using (FileStream file = File.Create(far))
        {
            file.Write(bytes.AsSpan(0, (int)first));
            file.Position = first + Far;
            file.Write(bytes.AsSpan((int)first));
        }

        Tool.Dump("-d", "31", far, Output);
        Assert.Equal(File.ReadAllBytes(Input).Length, new FileInfo(Output).Length);
        ToolResult cut = Tool.Run(Executable.Makedumpfile, "-f", "-L", "3G", "-d", "31", far, Output);
        Assert.Equal(0, cut.ExitCode);
    }

    /// <summary>A flattened stream that ends too early is waited for, for ten minutes and with all of a CPU.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(5000)]
    [InlineData(1_000_000)]
    public void Defect06StreamThatEndsTooEarlyIsAnErrorAtOnce(int length)
    {
        byte[] flat = Tool.Dump("-F", "-l", "-d", "31", Sample).OutputBytes;
        File.WriteAllBytes(Input, flat[..length]);
        ToolResult result = Tool.RunWithInput(Executable.Makedumpfile, Input, "-R", Output);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("the end of the stream", result.Error, StringComparison.Ordinal);
        if (length > 100_000)
            Assert.InRange(new FileInfo(Output).Length, length / 2, length * 100L);
    }

    /// <summary>Runs of fewer than 256 pages that are left out are in an ELF dump with their content.</summary>
    [Fact]
    public void Defect07ElfDumpHasNoContentOfPagesThatAreLeftOut()
    {
        Tool.Dump("-E", "-d", "31", Sample, Output);
        Tool.Dump("-d", "31", Sample, Input);
        using CrashDump raw = CrashDump.Open(Sample), elf = CrashDump.Open(Output), kept = CrashDump.Open(Input);
        byte[] page = new byte[4096], original = new byte[4096];
        int leftOut = 0;
        for (ulong pfn = 0; pfn < raw.Unfiltered.MaxPfn; pfn++)
        {
            if (raw.Unfiltered.ReadPage(pfn, original) != MemoryStatus.Ok
                || kept.Unfiltered.ReadPage(pfn, page) == MemoryStatus.Ok || !original.AsSpan().ContainsAnyExcept((byte)0))
                continue;
            leftOut++;
            if (elf.Unfiltered.ReadPage(pfn, page) == MemoryStatus.Ok)
                Assert.False(page.AsSpan().ContainsAnyExcept((byte)0), $"pfn 0x{pfn:x} has content");
        }

        Assert.True(leftOut > 100);
    }

    /// <summary>Each part has room for the descriptors of all; and the first one gets all the pages.</summary>
    [Fact]
    public void Defect08PartsOfASplitDumpShareThePages()
    {
        string[] parts = [.. Enumerable.Range(0, 4).Select(i => _folder.File($"part{i}"))];
        Tool.Dump(["--split", "-l", "-d", "31", Sample, .. parts]);
        Tool.Dump("-l", "-d", "31", Sample, Output);
        long[] pages = [.. parts.Select(Pages)];
        Assert.InRange(pages.Max(), 1, (pages.Sum() / 4) + 512);
        Assert.InRange(pages.Min(), (pages.Sum() / 4) - 512, long.MaxValue);
        using CrashDump whole = CrashDump.Open(Output);
        long shared = (1 + whole.Kdump!.Header.SubHeaderBlocks + whole.Kdump.Header.BitmapBlocks) * 4096L;
        long own = new FileInfo(Output).Length - shared;
        // Of each part: what all have, and its pages. What it skips to reach the page of zero is a hole and takes no room on the disk.
        Assert.InRange(parts.Sum(Allocated), 0, own + (parts.Length * (shared + 32768)));

        static long Allocated(string part) =>
            long.Parse(Tool.Succeed("stat", "-c", "%b", part).Output, System.Globalization.CultureInfo.InvariantCulture) * 512;

        static long Pages(string part)
        {
            using CrashDump dump = CrashDump.Open(part);
            long count = 0;
            for (ulong pfn = 0; pfn < dump.Kdump!.MaxPfn; pfn++)
                count += dump.Kdump.TryGetDescriptor(pfn, out _) ? 1 : 0;
            return count;
        }
    }

    /// <summary>Numbers of the header are trusted.</summary>
    [Theory]
    [InlineData(460, int.MaxValue)]
    [InlineData(460, -1)]
    [InlineData(432, int.MaxValue)]
    [InlineData(432, 0)]
    [InlineData(436, 1)]
    [InlineData(436, -1)]
    [InlineData(428, 3)]
    [InlineData(4096 + 96, int.MaxValue)]
    [InlineData(4096 + 100, int.MaxValue)]
    [InlineData(4096 + 60, int.MaxValue)]
    public void Defect09NumbersInTheHeaderAreChecked(int offset, int value)
    {
        Tool.Dump("-l", "-d", "31", Sample, Input);
        using (FileStream file = File.OpenWrite(Input))
        {
            file.Position = offset;
            file.Write(BitConverter.GetBytes(value));
        }

        ToolResult result = Tool.Run(Executable.Makedumpfile, "-l", "-d", "31", Input, Output);
        // More blocks of bitmaps than there are, all within 32 bits, are a valid header of a file that is cut off.
        if (offset != 436 || value > 0)
            Assert.Equal(1, result.ExitCode);
        Assert.InRange(result.ExitCode, 0, 1);
        Assert.DoesNotContain("internal error", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }

    /// <summary>Sizes of notes are added up in 32 bits and not compared with the segment.</summary>
    [Theory]
    [InlineData(0, 0xffff_fff0)]
    [InlineData(4, 0xffff_fff0)]
    [InlineData(0, 0x7fff_ffff)]
    [InlineData(4, 0x1000_0000)]
    public void Defect10NoteThatIsLargerThanItsSegmentEndsTheNotes(int field, uint value)
    {
        byte[] core = File.ReadAllBytes(Sample);
        long headers = BinaryPrimitives.ReadInt64LittleEndian(core.AsSpan(32));
        long notes = BinaryPrimitives.ReadInt64LittleEndian(core.AsSpan((int)headers + 8));
        BinaryPrimitives.WriteUInt32LittleEndian(core.AsSpan((int)notes + field), value);
        File.WriteAllBytes(Input, core);
        var clock = Stopwatch.StartNew();
        ToolResult result = Tool.Run(Executable.Makedumpfile, "-l", "-d", "31", Input, Output);
        // It is said, and vmcoreinfo is found in the machine's memory.
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("overrun", result.Error, StringComparison.Ordinal);
        Assert.Equal(0, Tool.Run(Executable.Makedumpfile, "-f", "-l", "-d", "1", Input, Output).ExitCode);
        Assert.True(Encoding.Latin1.GetString(File.ReadAllBytes(Output), 0, 5) == "KDUMP", clock.Elapsed.ToString());
    }
}
