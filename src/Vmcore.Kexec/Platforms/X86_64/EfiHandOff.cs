using System.Buffers.Binary;

namespace Vmcore.Kexec;

/// <summary>A region of the firmware's memory that its runtime services need.</summary>
/// <param name="Type">EFI memory type.</param>
/// <param name="Physical">Physical address of the first byte.</param>
/// <param name="Virtual">Where the running kernel has mapped it, which can be told to the firmware only once per boot.</param>
/// <param name="Pages">Length in pages of 4 KiB.</param>
/// <param name="Attribute">EFI memory attributes.</param>
public readonly record struct EfiRuntimeRegion(uint Type, ulong Physical, ulong Virtual, ulong Pages, ulong Attribute);

/// <summary>
/// What a kernel started by kexec must know to go on with the firmware's runtime services: the firmware was left by the running kernel and
/// cannot be entered anew.
/// </summary>
public sealed record EfiHandOff
{
    /// <summary>Length in bytes of <see cref="Info"/>.</summary>
    internal const int InfoSize = 32;

    /// <summary>Offset of efi_info in boot_params.</summary>
    internal const int InfoOffset = 0x1c0;

    /// <summary>efi_info out of the running kernel's boot_params, 32 bytes.</summary>
    public required ReadOnlyMemory<byte> Info { get; init; }

    /// <summary>Physical address of the firmware vendor's name.</summary>
    public required ulong Vendor { get; init; }

    /// <summary>Physical address of the runtime services table; 0 if the kernel does not tell it any more.</summary>
    public ulong Runtime { get; init; }

    /// <summary>Physical address of the configuration tables.</summary>
    public required ulong Tables { get; init; }

    /// <summary>Physical address of the SMBIOS entry point; 0 if there is none.</summary>
    public ulong Smbios { get; init; }

    /// <summary>The regions of the runtime services.</summary>
    public required IReadOnlyList<EfiRuntimeRegion> Regions { get; init; }

    /// <summary>Reads it from /sys/firmware/efi; null if the machine was not booted by 64-bit EFI, or the kernel does not tell all of it.</summary>
    /// <param name="root">The system.</param>
    /// <param name="bootParams">The running kernel's boot_params; may be empty.</param>
    /// <param name="commandLine">The running kernel's command line.</param>
    internal static EfiHandOff? Read(SystemRoot root, byte[] bootParams, string commandLine)
    {
        const string efi = "/sys/firmware/efi";
        if (bootParams.Length < InfoOffset + InfoSize || !bootParams.AsSpan(InfoOffset).StartsWith("EL64"u8))
            return null;
        const uint descriptorVersion = 1;
        ReadOnlySpan<byte> info = bootParams.AsSpan(InfoOffset, InfoSize);
        if (BinaryPrimitives.ReadUInt32LittleEndian(info[12..]) != descriptorVersion || BinaryPrimitives.ReadUInt32LittleEndian(info[20..]) == 0)
            return null;
        // That mapping is the running kernel's own invention, and no other kernel repeats it.
        if (CommandLineWords.Split(commandLine).Exists(static w => CommandLineWords.Is(w, "efi") && CommandLineWords.Value(w).Split(',').Contains("old_map")))
            return null;
        IReadOnlyList<EfiRuntimeRegion>? regions = ReadRegions(root, $"{efi}/runtime-map");
        if (regions is null || root.TryReadNumber($"{efi}/fw_vendor") is not (> 0 and { } vendor)
            || root.TryReadNumber($"{efi}/config_table") is not (> 0 and { } tables))
        {
            return null;
        }

        return new()
        {
            Info = bootParams.AsMemory(InfoOffset, InfoSize),
            Vendor = vendor,
            Runtime = root.TryReadNumber($"{efi}/runtime") ?? 0,
            Tables = tables,
            Smbios = ReadTable(root, "SMBIOS="),
            Regions = regions,
        };
    }

    /// <summary>Physical address of a table that /sys/firmware/efi/systab names; 0 if it does not.</summary>
    /// <param name="root">The system.</param>
    /// <param name="keys">Beginnings of lines, the preferred one first, for example <c>ACPI20=</c>.</param>
    internal static ulong ReadTable(SystemRoot root, params ReadOnlySpan<string> keys)
    {
        string[] lines = (root.TryReadText("/sys/firmware/efi/systab", 4096) ?? "").Split('\n');
        foreach (string key in keys)
        {
            if (Array.Find(lines, l => l.StartsWith(key, StringComparison.Ordinal)) is { } line && Numbers.TryParse(line[key.Length..]) is { } value)
                return value;
        }

        return 0;
    }

    private static List<EfiRuntimeRegion>? ReadRegions(SystemRoot root, string folder)
    {
        const int most = 1024;
        List<EfiRuntimeRegion> regions = [];
        // They are numbered without a gap.
        for (int i = 0; root.Exists($"{folder}/{i}"); i++)
        {
            string path = $"{folder}/{i}";
            if (i == most || root.TryReadNumber($"{path}/type") is not (<= uint.MaxValue and { } type)
                || root.TryReadNumber($"{path}/phys_addr") is not { } physical || root.TryReadNumber($"{path}/virt_addr") is not { } address
                || root.TryReadNumber($"{path}/num_pages") is not { } pages
                || root.TryReadNumber($"{path}/attribute") is not { } attribute)
            {
                return null;
            }

            regions.Add(new((uint)type, physical, address, pages, attribute));
        }

        return regions.Count == 0 ? null : regions;
    }
}
