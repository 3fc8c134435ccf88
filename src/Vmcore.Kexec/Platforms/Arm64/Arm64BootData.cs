using System.Buffers.Binary;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>
/// The device tree of the capture kernel: the firmware's, with what a crash kernel needs in /chosen (Documentation/arch/arm64/booting.rst;
/// drivers/of/fdt.c reads it, and drivers/of/kexec.c makes the same for kexec_file_load).
/// </summary>
internal sealed class Arm64BootData : BootData
{
    // Seeds for the KASLR of the capture kernel and for its random numbers are cut from one.
    private const int KaslrSeed = 8;
    private readonly BootRequest _request;
    private readonly DeviceTreeBlob _tree;
    private readonly DeviceTreeNode _chosen;

    /// <summary>Reads the firmware's tree and decides what goes in.</summary>
    /// <exception cref="KexecException">There is no tree, it is damaged, or it does not tell the kernel its machine.</exception>
    public Arm64BootData(BootRequest request)
    {
        _request = request;
        var firmware = (Arm64Firmware)request.System.Firmware;
        _tree = Read(request.Options, firmware);
        if (_tree.Root.Find("chosen") is not { } chosen)
            _tree.Root.Nodes.Insert(0, chosen = new("chosen"));
        _chosen = chosen;
        bool hasEfi = chosen.Get("linux,uefi-system-table") is not null;
        HandsEfiOver = hasEfi && !request.Options.NoEfi;
        // Without the one and without memory nodes the kernel knows neither RAM nor devices.
        if (!HandsEfiOver && !_tree.Root.Nodes.Exists(static n => n.GetText("device_type") == "memory"))
        {
            throw new KexecException(
                hasEfi
                    ? "--noefi leaves the capture kernel without any description of this machine, which has ACPI tables only: leave it out."
                    : $"The device tree {firmware.DeviceTreeFile} describes no memory: give the machine's with --dtb.",
                1);
        }

        Memory = [.. MemoryMap()];
    }

    /// <inheritdoc/>
    public override string Name => "dtb";

    /// <inheritdoc/>
    /// <remarks>The place of the ELF core header is in the tree.</remarks>
    public override IReadOnlyList<string> Words => [];

    /// <inheritdoc/>
    public override IReadOnlyList<MemoryMapEntry> Memory { get; }

    /// <inheritdoc/>
    public override bool HandsEfiOver { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Notes =>
        _request.Options.PassMemmap ? ["--pass-memmap-cmdline is ignored: an arm64 kernel reads its memory from the device tree."] : [];

    /// <inheritdoc/>
    public override int SizeOf(int commandLine) => Build(0, new byte[commandLine]).Length;

    /// <inheritdoc/>
    public override byte[] Build(ulong address, byte[] commandLine)
    {
        Clean();
        _chosen.Set("bootargs", commandLine);
        if (!_request.Initrd.IsEmpty)
        {
            _chosen.Set("linux,initrd-start", _request.Initrd.Start);
            _chosen.Set("linux,initrd-end", _request.Initrd.End);
        }

        _chosen.Set("linux,elfcorehdr", Cells([_request.ElfCoreHeader]));
        // The kernel keeps the first of them of its memory and adds the others: so the one with the image comes first. Older ones read two only.
        _chosen.Set("linux,usable-memory-range", Cells([.. _request.System.Iomem.CrashRegions.Reverse(), .. _request.System.CrashCma]));
        ReadOnlySpan<byte> seed = _request.Options.RandomSeed.Span;
        if (seed.Length > KaslrSeed)
        {
            _chosen.Set("kaslr-seed", seed[..KaslrSeed].ToArray());
            _chosen.Set("rng-seed", seed[KaslrSeed..].ToArray());
        }

        _chosen.Set("linux,booted-from-kexec", []);
        byte[] bytes = _tree.ToBytes();
        return bytes.Length <= DeviceTreeBlob.SizeLimit
            ? bytes
            : throw new KexecException(
                $"The capture kernel's device tree would have {bytes.Length} bytes, and the kernel reads {DeviceTreeBlob.SizeLimit}.", 1);
    }

    private static DeviceTreeBlob Read(LoadOptions options, Arm64Firmware firmware)
    {
        if (options.DeviceTreeFile is { } file)
        {
            using ImageBuffer content = InputFile.Read(file, "device tree");
            return DeviceTreeBlob.Parse(content.GetSpan(), file);
        }

        return firmware.DeviceTree.IsEmpty
            ? throw new KexecException(
                $"Cannot read {firmware.DeviceTreeFile}, which the capture kernel needs: mount /sys and run as root, or give the tree with --dtb.", 1)
            : DeviceTreeBlob.Parse(firmware.DeviceTree.Span, firmware.DeviceTreeFile);
    }

    // What was the running kernel's: an old seed is known to it, an old initramfs lies in its memory.
    private void Clean()
    {
        if (_chosen.GetNumber("linux,initrd-start") is { } start)
            _tree.Reservations.RemoveAll(r => r.Start == Numbers.AlignDown(start, _request.System.PageSize) || r.Start == start);
        _chosen.Remove(static n => n is "linux,initrd-start" or "linux,initrd-end" or "linux,elfcorehdr" or "linux,usable-memory-range" or "kaslr-seed"
            or "rng-seed" or "linux,ima-kexec-buffer" or "linux,kho-fdt" or "linux,kho-scratch");
        if (!HandsEfiOver)
            _chosen.Remove(static n => n.StartsWith("linux,uefi-", StringComparison.Ordinal));
    }

    // Addresses and sizes as the root says.
    private byte[] Cells(IReadOnlyList<PhysicalRange> ranges)
    {
        DeviceTreeNode root = _tree.Root;
        // EFI's own trees name them; the kernel's defaults are one cell, so a tree that has nothing but /chosen gets what is wide enough.
        if (root.Get("#address-cells") is null && !root.Nodes.Exists(static n => n.Get("reg") is not null))
        {
            root.Set("#address-cells", [0, 0, 0, 2]);
            root.Set("#size-cells", [0, 0, 0, 2]);
        }

        int address = (int)Math.Min(root.GetNumber("#address-cells") ?? 1, 9), size = (int)Math.Min(root.GetNumber("#size-cells") ?? 1, 9);
        var bytes = new MemoryStream();
        foreach (PhysicalRange range in ranges)
        {
            bytes.Write(Cell(range.Start, address));
            bytes.Write(Cell(range.Length, size));
        }

        return bytes.ToArray();
    }

    private static byte[] Cell(ulong value, int cells)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return cells == 2 ? bytes
            : cells == 1 && value <= uint.MaxValue ? bytes[4..]
            : throw new KexecException(
                $"The device tree has {cells} cells for an address or a size, which cannot hold 0x{value:x}: give another with --dtb.", 1);
    }

    private IEnumerable<MemoryMapEntry> MemoryMap()
    {
        foreach (PhysicalRange region in _request.System.CaptureRam.OrderBy(static r => r.Start))
        {
            PhysicalRange header = region.Intersect(_request.ElfCoreHeader);
            if (header.IsEmpty)
            {
                yield return new(region, MemoryMapType.Ram);
                continue;
            }

            if (header.Start > region.Start)
                yield return new(new(region.Start, header.Start), MemoryMapType.Ram);
            yield return new(header, MemoryMapType.Reserved);
            if (header.End < region.End)
                yield return new(new(header.End, region.End), MemoryMapType.Ram);
        }
    }
}
