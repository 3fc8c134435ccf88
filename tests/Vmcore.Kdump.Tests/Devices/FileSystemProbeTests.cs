using System.Text;
using Vmcore.Kdump.Devices;

namespace Vmcore.Kdump.Tests.Devices;

public sealed class FileSystemProbeTests
{
    [Fact]
    public void Ext4()
    {
        FileSystemProbe probe = FileSystemProbe.Read(Trees.Ext4(Trees.Uuid, "root"))!;
        Assert.Equal(new("ext4", Trees.Uuid, "root"), probe);
        Assert.True(probe.Is("UUID=" + Trees.Uuid.ToUpperInvariant()));
        Assert.True(probe.Is("LABEL=root"));
        Assert.False(probe.Is("LABEL=ROOT"));
        Assert.False(probe.Is("LABEL="));
        Assert.False((probe with { Uuid = "" }).Is("UUID="));
    }

    [Fact]
    public void AJournalDeviceIsNoFileSystem()
    {
        byte[] head = Trees.Ext4(Trees.Uuid, "");
        head[1024 + 0x60] = 8;
        Assert.DoesNotContain(FileSystemProbe.Read(head)!.Type, FileSystemProbe.Supported);
    }

    [Fact]
    public void Xfs()
    {
        byte[] head = new byte[4096];
        "XFSB"u8.CopyTo(head);
        Guid.Parse(Trees.Uuid).TryWriteBytes(head.AsSpan(32), bigEndian: true, out _);
        "crash"u8.CopyTo(head.AsSpan(108));
        Assert.Equal(new("xfs", Trees.Uuid, "crash"), FileSystemProbe.Read(head));
    }

    [Fact]
    public void Btrfs()
    {
        byte[] head = new byte[FileSystemProbe.HeadSize];
        "_BHRfS_M"u8.CopyTo(head.AsSpan(0x10040));
        Guid.Parse(Trees.Uuid).TryWriteBytes(head.AsSpan(0x10020), bigEndian: true, out _);
        "pool"u8.CopyTo(head.AsSpan(0x1012b));
        Assert.Equal(new("btrfs", Trees.Uuid, "pool"), FileSystemProbe.Read(head));
        Assert.Null(FileSystemProbe.Read(head.AsSpan(0, 0x10100)));
    }

    [Theory]
    [InlineData(0x52, "FAT32   ", 0x43)]
    [InlineData(0x36, "FAT16   ", 0x27)]
    public void Fat(int at, string name, int serial)
    {
        byte[] head = new byte[512];
        Encoding.ASCII.GetBytes(name).CopyTo(head, at);
        ((byte[])[0x78, 0x56, 0x34, 0x12]).CopyTo(head, serial);
        "EFI        "u8.CopyTo(head.AsSpan(serial + 4));
        head[510] = 0x55;
        head[511] = 0xaa;
        Assert.Equal(new("vfat", "1234-5678", "EFI"), FileSystemProbe.Read(head));
    }

    [Fact]
    public void OthersAreNamedOrNothing()
    {
        byte[] head = new byte[4096];
        Assert.Null(FileSystemProbe.Read(head));
        Assert.Null(FileSystemProbe.Read([]));
        head[510] = 0x55;
        head[511] = 0xaa;
        Assert.Null(FileSystemProbe.Read(head));
        "LABELONE"u8.CopyTo(head.AsSpan(512));
        Assert.Equal("LVM", FileSystemProbe.Read(head)!.Type);
        "LUKS\xba\xbe"u8.CopyTo(head);
        Assert.Equal("LUKS", FileSystemProbe.Read(head)!.Type);
    }

    [Fact]
    public void TheRawAreaIsTheLastBlockAndLeavesTheRestAlone()
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, new byte[1024]);
            Assert.Null(RawArea.TryRead(file, out _));
            using (FileStream grown = File.OpenWrite(file))
                grown.SetLength(RawArea.SmallestDevice);
            Assert.Null(RawArea.TryRead(file, out long size));
            Assert.Equal(RawArea.SmallestDevice, size);
            new RawArea(Trees.Uuid, "empty").Write(file, []);
            Assert.Equal(new(Trees.Uuid, "empty"), RawArea.TryRead(file, out _));
            new RawArea(Trees.Uuid, "whole").Write(file, Encoding.ASCII.GetBytes(new string('a', RawArea.LogSize) + "the end"));
            using FileStream stream = File.OpenRead(file);
            byte[] rest = new byte[RawArea.LogSize + RawArea.BlockSize + 1];
            stream.Position = size - rest.Length;
            stream.ReadExactly(rest);
            Assert.Equal(0, rest[0]);
            Assert.Equal("the end", Encoding.ASCII.GetString(rest, 1 + RawArea.LogSize - 7, 7));
            Assert.Equal(size - RawArea.LogSize - RawArea.BlockSize, RawArea.RoomOf(size));
        }
        finally
        {
            File.Delete(file);
        }
    }
}
