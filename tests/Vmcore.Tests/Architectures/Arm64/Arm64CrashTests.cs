using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.IO;
using Vmcore.Kernel.Stacks;
using Vmcore.Memmap;
using Vmcore.Tests.Dumping;

namespace Vmcore.Tests.Architectures.Arm64;

/// <summary>Crashes of real arm64 kernels against what these kernels said before they crashed. Run where VMCORE_FIXTURES names a folder with them.</summary>
public sealed class Arm64CrashTests
{
    private const ulong Lru = 1 << 5, Slab = 1 << 7, Buddy = 1 << 10, Anon = 1 << 12, PageTable = 1 << 26, Reserved = 1UL << 32;

    public static TheoryData<string> Crashes => ["arm64-6.1", "arm64-6.12-lpa2", "arm64-6.12-16k"];

    [Theory]
    [MemberData(nameof(Crashes))]
    public void Level31KeepsAndDropsWhatTheKernelSaid(string name)
    {
        string path = PathOf(name);
        ulong[] flags = PageFlags(Path.Combine(Path.GetDirectoryName(path)!, name, "first", "kpageflags.zst"));
        using CrashDump raw = CrashDump.Open(path);
        Assert.Equal("aarch64", raw.Architecture.Name);
        Assert.Empty(raw.Problems);
        Assert.True(raw.Kernel!.IsVerified);
        WrittenDump written = WrittenDump.Of(raw, new() { Level = (DumpLevel)31, Codec = PageCodec.Lzo, Threads = 2 });
        using CrashDump dump = written.Open();
        ulong count = Math.Min((ulong)flags.Length, raw.Memory.MaxPfn) & ~63UL;
        ulong[] exists = new ulong[count / 64], had = new ulong[count / 64], there = new ulong[count / 64], present = new ulong[count / 64];
        raw.Unfiltered.GetPages(0, exists, had);
        dump.Unfiltered.GetPages(0, there, present);
        foreach ((string what, ulong flag, bool keep) in ((string, ulong, bool)[])[
            ("slab", Slab, true), ("page table", PageTable, true), ("reserved", Reserved, true), ("free", Buddy, false), ("anonymous", Anon, false),
            ("on the LRU", Lru, false)])
        {
            int all = 0, wrong = 0;
            for (ulong pfn = 0; pfn < count; pfn++)
            {
                bool Bit(ulong[] map) => (map[pfn / 64] >> (int)(pfn % 64) & 1) != 0;
                if ((flags[pfn] & flag) == 0 || !Bit(had) || raw.Pmem.Pages.Contains(pfn) || (flag == Anon && (flags[pfn] & Slab) != 0))
                    continue;
                all++;
                wrong += Bit(present) != keep ? 1 : 0;
            }

            // The flags are some seconds older than the crash; page cache that was freed since lies in the lists of the CPUs, and no flag says so.
            Assert.True(wrong <= Math.Max(all * 5 / 100, 8), $"{what}: {wrong} of {all} pages are {(keep ? "lost" : "kept")}");
            Assert.True(all > 0, $"no page is {what}");
        }

        Assert.True(raw.Pmem.Metadata.All(r => dump.Pmem.Metadata.Contains(r.Start)));
        Assert.Equal(raw.Pmem.Metadata.PageCount, written.Report.MetadataKept);
    }

    [Theory]
    [InlineData("arm64-6.12-lpa2")]
    [InlineData("arm64-6.12-16k")]
    public void EveryStackIsWalkedToItsEnd(string name)
    {
        using CrashDump dump = CrashDump.Open(PathOf(name));
        KernelStacks stacks = KernelStacks.Load(dump.KernelView!);
        Assert.NotNull(stacks.Crashing);
        TaskStack crashing = stacks.Trace(stacks.Crashing);
        Assert.Null(crashing.Problem);
        Assert.True(crashing.Frames[^1].Registers!.IsUser);
        int walked = 0;
        foreach (Vmcore.Kernel.Tasks.KernelTask task in dump.Tasks!.Tasks.Where(t => !t.IsOnCpu))
        {
            TaskStack stack = stacks.Trace(task);
            Assert.True(stack is { Method: StackMethod.FramePointers, Problem: null }, $"{task.Pid} {task.Name}: {stack.Problem}");
            Assert.True(stack.Frames.Count > 2);
            walked++;
        }

        Assert.True(walked > 20);
    }

    /// <summary>With pages of 16 KiB the info block shares its page with 12 KiB of the media: they may be anybody's, and are in no dump.</summary>
    [Theory]
    [InlineData(DumpOutput.Kdump)]
    [InlineData(DumpOutput.Elf)]
    public void WhatLiesBesideAnInfoBlockIsInNoDump(DumpOutput output)
    {
        const ulong Namespace = 0x8000_0000;
        byte[] canary = Encoding.ASCII.GetBytes("LAB-BESIDE-THE-BLOCK");
        string path = PathOf("arm64-6.12-16k");
        long offset;
        using (CrashDump plain = CrashDump.Open(path))
            offset = (long)plain.Loads.Single(l => l.PhysicalAddress == Namespace).Offset;
        using CrashDump dump = CrashDump.Open(new Patched(FileSource.Open(path), canary, [offset + 0x100, offset + 0x2100, offset + 0x3fe0]));
        byte[] page = new byte[dump.Memory.PageSize];
        dump.Unfiltered.ReadPage(Namespace >> dump.Memory.PageShift, page);
        Assert.True(page.AsSpan().IndexOf(canary) >= 0);
        WrittenDump written = WrittenDump.Of(dump, new() { Level = (DumpLevel)31, Output = output, Threads = 2 });
        Assert.True(written.Bytes.AsSpan().IndexOf(canary) < 0, "what lies beside the info block is in the dump");
        Assert.True(written.Bytes.AsSpan().IndexOf("NVDIMM_PFN_INFO"u8) >= 0, "the info block is not in the dump");
        dump.Memory.ReadPage(Namespace >> dump.Memory.PageShift, page);
        Assert.True(page.AsSpan().IndexOf(canary) < 0);
    }

    private static string PathOf(string name)
    {
        string? folder = Environment.GetEnvironmentVariable("VMCORE_FIXTURES");
        Assert.SkipWhen(string.IsNullOrEmpty(folder), "VMCORE_FIXTURES names no folder with dumps");
        string path = Path.Combine(folder!, name + ".vmcore");
        Assert.SkipUnless(File.Exists(path), $"{path} does not exist");
        return path;
    }

    private static ulong[] PageFlags(string path)
    {
        using Process zstd = Process.Start(new ProcessStartInfo("zstd", ["-q", "-d", "-c", path])
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        using MemoryStream bytes = new();
        zstd.StandardOutput.BaseStream.CopyTo(bytes);
        zstd.WaitForExit();
        return MemoryMarshal.Cast<byte, ulong>(bytes.ToArray()).ToArray();
    }

    /// <summary>A file with some bytes replaced.</summary>
    private sealed class Patched(IByteSource inner, byte[] text, long[] places) : IByteSource
    {
        public string Name => inner.Name;

        public long Length => inner.Length;

        public int Read(long offset, Span<byte> buffer)
        {
            int read = inner.Read(offset, buffer);
            foreach (long place in places)
            {
                for (int i = 0; i < text.Length; i++)
                {
                    if (place + i >= offset && place + i < offset + read)
                        buffer[(int)(place + i - offset)] = text[i];
                }
            }

            return read;
        }

        public void Dispose() => inner.Dispose();
    }
}
