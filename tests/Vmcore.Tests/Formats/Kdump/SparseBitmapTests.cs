using Vmcore.Dumping;
using Vmcore.Formats.Kdump;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Opening;
using Vmcore.Picture;
using Vmcore.Ranges;
using Vmcore.Testing;
using Vmcore.Verification;

namespace Vmcore.Tests.Formats.Kdump;

/// <summary>
/// A file of some kilobytes on disk may say that a machine has 2^34 pages: its bitmaps are holes. What they do not name is one step.
/// </summary>
public sealed class SparseBitmapTests : IDisposable
{
    private const ulong Pages = 1UL << 34;
    private const long BitmapBytes = (long)(Pages / 8);
    private const ulong Last = Pages - 70_000;

    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void HolesOfTheFileAreOneStep()
    {
        Write();
        using KdumpFile file = KdumpFile.Open([_path]);
        var memory = new KdumpCrashMemory(file);
        Assert.Equal(5UL, memory.AbsentUntil(new(0, Pages)));
        Assert.Equal(5UL, memory.AbsentUntil(new(5, Pages)));
        Assert.Equal(Last, memory.AbsentUntil(new(6, Pages)));
        Assert.Equal(3UL, memory.HoleUntil(new(0, Pages)));
        Assert.Equal(Last, memory.HoleUntil(new(6, Pages)));
        Assert.Equal(100UL, memory.HoleUntil(new(6, 100)));
        Assert.Equal(Pages, memory.AbsentUntil(new(Last + 1, Pages)));
        Assert.Equal([5UL, Last], memory.PresentPages());
        byte[] page = new byte[4096];
        Assert.Equal(MemoryStatus.Ok, memory.ReadPage(Last, page));
        Assert.Equal(0x22, page[0]);
        Assert.Equal(MemoryStatus.Excluded, memory.ReadPage(3, page));
        Assert.Equal(MemoryStatus.Hole, memory.ReadPage(4, page));
    }

    /// <summary>Who goes through all pages takes no longer for those that are not there: reading the bitmaps alone would take seconds.</summary>
    [Fact]
    public void WhatIsNotThereCostsNothing()
    {
        Write();
        using CrashDump dump = CrashDump.Open([_path]);
        Assert.Null(dump.VmcoreInfo);
        var request = new DumpRequest(dump, new() { Level = DumpLevel.None });
        Assert.InRange(request.Runs().Count(), 2, 3);
        MemoryPicture picture = PictureBuilder.Build(dump);
        Assert.NotEmpty(picture.Regions);
        Assert.Equal(2UL, DumpVerifier.Verify(dump).Pages);
    }

    /// <summary>The same answer as bit by bit, wherever a range begins and ends, also where the bitmap ends inside a byte or beyond the file.</summary>
    [Fact]
    public void NextSetAgreesWithLookingOneByOne()
    {
        const int Bits = 30_011;
        byte[] file = new byte[17 + ((Bits + 7) / 8)];
        foreach (int bit in (int[])[0, 7, 8, 4095, 4096, 4100, 12_345, 29_999, Bits - 1])
            file[17 + (bit / 8)] |= (byte)(1 << (bit % 8));
        foreach (int visible in (int[])[file.Length, file.Length - 100, 17])
        {
            var reader = new BitmapReader(new KdumpBytes(file[..visible]), 17, Bits);
            foreach (ulong start in (ulong[])[0, 1, 7, 8, 9, 4090, 4096, 4097, 4101, 12_345, 12_346, 29_998, 30_000, Bits - 1])
            {
                foreach (ulong end in (ulong[])[start + 1, Math.Min(start + 5000, Bits), Bits])
                {
                    ulong expected = start;
                    while (expected < end && reader.Get(expected) != true)
                        expected++;
                    Assert.Equal(expected, reader.NextSet(new PfnRange(start, end)));
                }
            }
        }
    }

    private void Write()
    {
        var small = new KdumpBuilder { MaxMapNr = 64 };
        byte[] start = small.Build();
        int block = small.BlockSize, bitmap1 = small.Bitmap1Offset;

        // The headers of a small dump, with the number of pages of a large one: max_mapnr of both headers, and the blocks of the bitmaps.
        byte[] head = start[..bitmap1];
        BitConverter.TryWriteBytes(head.AsSpan(436), (uint)(2 * BitmapBytes / block));
        BitConverter.TryWriteBytes(head.AsSpan(440), uint.MaxValue);
        BitConverter.TryWriteBytes(head.AsSpan(block + 96), Pages);
        long bitmap2 = bitmap1 + BitmapBytes, descriptors = bitmap2 + BitmapBytes, data = descriptors + block;
        using FileStream file = File.Open(_path, FileMode.Open, FileAccess.ReadWrite);
        file.SetLength(data + (2 * block));
        Put(0, head);
        foreach (ulong pfn in (ulong[])[3, 5, Last])
            SetBit(bitmap1, pfn);
        foreach (ulong pfn in (ulong[])[5, Last])
            SetBit(bitmap2, pfn);
        for (int i = 0; i < 2; i++)
        {
            byte[] descriptor = new byte[24];
            BitConverter.TryWriteBytes(descriptor, data + (i * block));
            BitConverter.TryWriteBytes(descriptor.AsSpan(8), (uint)block);
            Put(descriptors + (24 * i), descriptor);
            Put(data + (i * block), [.. Enumerable.Repeat((byte)(0x11 * (i + 1)), block)]);
        }

        void SetBit(long bitmap, ulong pfn)
        {
            file.Position = bitmap + (long)(pfn / 8);
            int old = file.ReadByte();
            Put(bitmap + (long)(pfn / 8), [(byte)(old | (1 << (int)(pfn % 8)))]);
        }

        void Put(long offset, ReadOnlySpan<byte> bytes)
        {
            file.Position = offset;
            file.Write(bytes);
        }
    }
}
