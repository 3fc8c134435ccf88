using System.Buffers.Binary;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>What the capture kernel finds in its boot_params ("zero page") and behind it.</summary>
internal sealed record BootParamsRequest
{
    /// <summary>Physical address of the page.</summary>
    public required ulong Address { get; init; }

    /// <summary>The setup header out of the kernel image.</summary>
    public required ReadOnlyMemory<byte> SetupHeader { get; init; }

    /// <summary>The command line, with its NUL.</summary>
    public required ReadOnlyMemory<byte> CommandLine { get; init; }

    /// <summary>Where the initramfs lies; empty if there is none.</summary>
    public PhysicalRange Initrd { get; init; }

    /// <summary>The memory map.</summary>
    public required IReadOnlyList<MemoryMapEntry> Memory { get; init; }

    /// <summary>The running kernel's boot_params, for its screen; may be empty.</summary>
    public ReadOnlyMemory<byte> Running { get; init; }

    /// <summary>Physical address of the ACPI root pointer; 0 to let the kernel look for it.</summary>
    public ulong AcpiRsdp { get; init; }

    /// <summary>What the kernel needs to go on with EFI; null for a kernel without.</summary>
    public EfiHandOff? Efi { get; init; }

    /// <summary>Seed for the random number generator; may be empty.</summary>
    public ReadOnlyMemory<byte> RandomSeed { get; init; }

    /// <summary>A device tree; mostly empty.</summary>
    public ReadOnlyMemory<byte> DeviceTree { get; init; }
}

/// <summary>Builds the boot_params page, and behind it the command line and what does not fit into the page.</summary>
internal static class BootParams
{
    /// <summary>Entries of the memory map that fit into the page.</summary>
    public const int E820InPage = 128;

    private const int HeaderStart = 0x1f1;
    private const int PageSize = X86_64Platform.PageSize;
    private const uint SetupE820Ext = 1;
    private const uint SetupDtb = 2;
    private const uint SetupEfi = 4;
    private const uint SetupRngSeed = 9;
    private const int NodeHeader = 16;

    // Four addresses that are used and eight that are not (struct efi_setup_data).
    private const int EfiSetupSize = 12 * 8;
    private const int EfiDescriptorSize = 40;

    /// <summary>Bytes of the segment for these lengths; the memory map may grow by the cut at the ELF core header.</summary>
    public static int SizeOf(int commandLine, int e820Entries, int seed, EfiHandOff? efi, int deviceTree = 0) =>
        PageSize + Align16(commandLine)
        + (efi is null ? 0 : Align16(NodeHeader + EfiSetupSize) + Align16(efi.Regions.Count * EfiDescriptorSize))
        + (e820Entries > E820InPage ? Align16(NodeHeader + ((e820Entries - E820InPage) * 20)) : 0)
        + Node(seed) + Node(deviceTree);

    /// <summary>Offset of the command line in the segment.</summary>
    public const int CommandLineOffset = PageSize;

    /// <summary>Builds the segment.</summary>
    public static byte[] Build(BootParamsRequest request)
    {
        byte[] bytes = new byte[SizeOf(request.CommandLine.Length, request.Memory.Count, request.RandomSeed.Length, request.Efi, request.DeviceTree.Length)];
        Span<byte> page = bytes.AsSpan(0, PageSize);
        SetScreen(page, request.Running.Span);
        request.SetupHeader.Span.CopyTo(page[HeaderStart..]);
        BinaryPrimitives.WriteUInt64LittleEndian(page[0x70..], request.AcpiRsdp);
        page[0x210] = 0xd0;
        page[0x211] = 1;
        Split(page, 0x218, 0xc0, request.Initrd.IsEmpty ? 0 : request.Initrd.Start);
        Split(page, 0x21c, 0xc4, request.Initrd.Length);
        Split(page, 0x228, 0xc8, request.Address + CommandLineOffset);
        request.CommandLine.Span.CopyTo(bytes.AsSpan(CommandLineOffset));

        int inPage = Math.Min(request.Memory.Count, E820InPage);
        page[0x1e8] = (byte)inPage;
        for (int i = 0; i < inPage; i++)
            WriteEntry(page[(0x2d0 + (i * 20))..], request.Memory[i]);
        AddNodes(bytes, request, inPage);
        return bytes;
    }

    private static void AddNodes(byte[] bytes, BootParamsRequest request, int inPage)
    {
        int at = CommandLineOffset + Align16(request.CommandLine.Length);
        ulong chain = 0;
        int extra = request.Memory.Count - inPage;
        if (extra > 0)
        {
            for (int i = 0; i < extra; i++)
                WriteEntry(bytes.AsSpan(at + NodeHeader + (i * 20)), request.Memory[inPage + i]);
            chain = AddNode(bytes, ref at, request.Address, chain, SetupE820Ext, extra * 20);
        }

        if (!request.RandomSeed.IsEmpty)
        {
            request.RandomSeed.Span.CopyTo(bytes.AsSpan(at + NodeHeader));
            chain = AddNode(bytes, ref at, request.Address, chain, SetupRngSeed, request.RandomSeed.Length);
        }

        if (!request.DeviceTree.IsEmpty)
        {
            request.DeviceTree.Span.CopyTo(bytes.AsSpan(at + NodeHeader));
            chain = AddNode(bytes, ref at, request.Address, chain, SetupDtb, request.DeviceTree.Length);
        }

        if (request.Efi is { } efi)
        {
            Span<byte> data = bytes.AsSpan(at + NodeHeader);
            BinaryPrimitives.WriteUInt64LittleEndian(data, efi.Vendor);
            BinaryPrimitives.WriteUInt64LittleEndian(data[8..], efi.Runtime);
            BinaryPrimitives.WriteUInt64LittleEndian(data[16..], efi.Tables);
            BinaryPrimitives.WriteUInt64LittleEndian(data[24..], efi.Smbios);
            chain = AddNode(bytes, ref at, request.Address, chain, SetupEfi, EfiSetupSize);
            SetEfi(bytes, at, request.Address, efi);
        }

        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(0x250), chain);
    }

    // efi_info as the running kernel got it, but with a memory map of the runtime regions alone, which say where they are mapped.
    private static void SetEfi(byte[] bytes, int at, ulong address, EfiHandOff efi)
    {
        Span<byte> info = bytes.AsSpan(EfiHandOff.InfoOffset, EfiHandOff.InfoSize);
        efi.Info.Span.CopyTo(info);
        BinaryPrimitives.WriteInt32LittleEndian(info[8..], EfiDescriptorSize);
        Split(info, 16, 28, address + (ulong)at);
        BinaryPrimitives.WriteInt32LittleEndian(info[20..], efi.Regions.Count * EfiDescriptorSize);
        foreach (EfiRuntimeRegion region in efi.Regions)
        {
            Span<byte> descriptor = bytes.AsSpan(at, EfiDescriptorSize);
            BinaryPrimitives.WriteUInt32LittleEndian(descriptor, region.Type);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor[8..], region.Physical);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor[16..], region.Virtual);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor[24..], region.Pages);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor[32..], region.Attribute);
            at += EfiDescriptorSize;
        }
    }

    private static ulong AddNode(byte[] bytes, ref int at, ulong address, ulong next, uint type, int length)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), next);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at + 8), type);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at + 12), length);
        ulong node = address + (ulong)at;
        at += Align16(NodeHeader + length);
        return node;
    }

    // The screen as the running kernel found it, or text mode 80x25.
    private static void SetScreen(Span<byte> page, ReadOnlySpan<byte> running)
    {
        if (running.Length == PageSize)
        {
            running[..64].CopyTo(page);
            page[0x1ec] = running[0x1ec];
            // A word in there is the old size of extended memory.
            page[2..4].Clear();
            return;
        }

        page[7] = 80;
        page[0x0e] = 25;
        page[0x0f] = 1;
        page[0x10] = 16;
    }

    private static void Split(Span<byte> page, int low, int high, ulong value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(page[low..], (uint)value);
        BinaryPrimitives.WriteUInt32LittleEndian(page[high..], (uint)(value >> 32));
    }

    private static void WriteEntry(Span<byte> target, MemoryMapEntry entry)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(target, entry.Range.Start);
        BinaryPrimitives.WriteUInt64LittleEndian(target[8..], entry.Range.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(target[16..], (uint)entry.Type);
    }

    // None for nothing.
    private static int Node(int length) => length > 0 ? Align16(NodeHeader + length) : 0;

    private static int Align16(int value) => (value + 15) & ~15;
}
