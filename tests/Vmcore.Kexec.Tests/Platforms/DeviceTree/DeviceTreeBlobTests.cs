using System.Buffers.Binary;
using System.Text;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Platforms.DeviceTree;

public sealed class DeviceTreeBlobTests
{
    [Fact]
    public void ARealTreeIsRead()
    {
        DeviceTreeBlob tree = DeviceTreeBlob.Parse(Arm64Lpa2.DeviceTree, "fdt");
        Assert.Empty(tree.Reservations);
        Assert.Equal(2ul, tree.Root.GetNumber("#address-cells"));
        DeviceTreeNode chosen = Assert.Single(tree.Root.Nodes);
        Assert.Equal("chosen", chosen.Name);
        Assert.Equal(0x6ffd0018ul, chosen.GetNumber("linux,uefi-system-table"));
        Assert.Equal("console=ttyAMA0 crashkernel=192M loglevel=5 panic=10   initrd=initrd", chosen.GetText("bootargs"));
    }

    [Fact]
    public void WhatIsWrittenIsWhatIsRead()
    {
        byte[] bytes = Sample();
        DeviceTreeBlob tree = DeviceTreeBlob.Parse(bytes, "fdt");
        Assert.Equal([new(0x48000000, 0x48010000)], tree.Reservations);
        Assert.Equal(["#address-cells", "compatible"], tree.Root.Properties.Select(static p => p.Name));
        Assert.Equal("arm,pl011", tree.Root.FindPath("/soc/serial")!.GetText("compatible"));
        Assert.True(tree.Root.FindPath("/soc/serial@9000000")!.HasText("compatible", "arm,primecell"));
        Assert.Equal([], tree.Root.Find("soc")!.Get("ranges")!);
        Assert.Equal(bytes, tree.ToBytes());
        Assert.Equal(bytes, DeviceTreeBlob.Parse((byte[])[.. bytes, 1, 2, 3], "fdt").ToBytes());
    }

    [Fact]
    public void PropertiesAreSetInTheirPlaceAndRemoved()
    {
        DeviceTreeBlob tree = DeviceTreeBlob.Parse(Arm64Lpa2.DeviceTree, "fdt");
        DeviceTreeNode chosen = tree.Root.Find("chosen")!;
        int at = chosen.Properties.FindIndex(static p => p.Name == "bootargs");
        chosen.Set("bootargs", "x\0"u8.ToArray());
        chosen.Set("linux,initrd-start", 0x123456789a);
        chosen.Remove(static n => n.StartsWith("linux,uefi-mmap", StringComparison.Ordinal));
        DeviceTreeNode read = DeviceTreeBlob.Parse(tree.ToBytes(), "fdt").Root.Find("chosen")!;
        Assert.Equal(at - 4, read.Properties.FindIndex(static p => p.Name == "bootargs"));
        Assert.Equal("x", read.GetText("bootargs"));
        Assert.Equal(0x123456789aul, read.GetNumber("linux,initrd-start"));
        Assert.Null(read.Get("linux,uefi-mmap-start"));
    }

    [Theory]
    [InlineData(0, 0u, "0x0: no device tree begins here")]
    [InlineData(4, 0x7fffffffu, "0x4: it says that it is 2147483647 bytes long")]
    [InlineData(8, 0x7ffffff0u, "0x8: its blocks lie outside")]
    [InlineData(12, 0xfffffff0u, "0x8: its blocks lie outside")]
    [InlineData(16, 0xfffffff0u, "0x8: its blocks lie outside")]
    [InlineData(20, 3u, "0x14: its version 3")]
    [InlineData(24, 18u, "0x14: its version 17 (compatible with 18)")]
    [InlineData(36, 8u, "its structure ends in the middle")]
    public void ADamagedHeaderIsNamedWithItsPlace(int offset, uint value, string expected)
    {
        byte[] bytes = Sample();
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(offset), value);
        KexecException e = Assert.Throws<KexecException>(() => DeviceTreeBlob.Parse(bytes, "fdt"));
        Assert.StartsWith("The device tree fdt is damaged at offset 0x", e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NodesNestedWithoutEndAreRefused()
    {
        var root = new DeviceTreeNode("");
        DeviceTreeNode at = root;
        for (int i = 0; i < 100; i++)
        {
            var next = new DeviceTreeNode("n");
            at.Nodes.Add(next);
            at = next;
        }

        DeviceTreeBlob good = DeviceTreeBlob.Parse(Sample(), "fdt");
        good.Root.Nodes.Add(root);
        Assert.Contains("nested too deep", Assert.Throws<KexecException>(() => DeviceTreeBlob.Parse(good.ToBytes(), "fdt")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedBytesNeverEndInAnotherException()
    {
        var random = new Random(3);
        byte[] good = Sample();
        int read = 0;
        for (int i = 0; i < 20000; i++)
        {
            byte[] bytes = (byte[])good.Clone();
            for (int j = 0; j < 1 + (i % 4); j++)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            try
            {
                DeviceTreeBlob tree = DeviceTreeBlob.Parse(bytes.AsSpan(0, i % 3 == 0 ? random.Next(bytes.Length) : bytes.Length), "fdt");
                // What was read can be written and read again.
                Assert.Equal(tree.Root.Nodes.Count, DeviceTreeBlob.Parse(tree.ToBytes(), "fdt").Root.Nodes.Count);
                read++;
            }
            catch (KexecException e)
            {
                Assert.Contains("damaged at offset", e.Message, StringComparison.Ordinal);
            }
        }

        Assert.True(read > 1000);
    }

    internal static byte[] Sample()
    {
        DeviceTreeBlob tree = DeviceTreeBlob.Parse(Arm64Lpa2.DeviceTree, "fdt");
        tree.Root.Nodes.Clear();
        tree.Root.Properties.Clear();
        tree.Root.Set("#address-cells", [0, 0, 0, 2]);
        tree.Root.Set("compatible", "linux,dummy-virt\0"u8.ToArray());
        var soc = new DeviceTreeNode("soc");
        soc.Set("ranges", []);
        var serial = new DeviceTreeNode("serial@9000000");
        serial.Set("compatible", Encoding.ASCII.GetBytes("arm,pl011\0arm,primecell\0"));
        serial.Set("reg", [0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0]);
        soc.Nodes.Add(serial);
        tree.Root.Nodes.Add(soc);
        tree.Reservations.Add(new(0x48000000, 0x48010000));
        return tree.ToBytes();
    }
}
