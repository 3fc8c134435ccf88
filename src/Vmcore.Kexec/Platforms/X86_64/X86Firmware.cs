using System.Buffers.Binary;

namespace Vmcore.Kexec;

/// <summary>What BIOS or EFI left for a kernel on x86-64.</summary>
public sealed record X86Firmware : FirmwareState
{
    /// <summary>The boot_params page that the running kernel was started with; empty if unknown.</summary>
    public ReadOnlyMemory<byte> BootParams { get; init; }

    /// <summary>Physical address of the ACPI root pointer; 0 if unknown.</summary>
    public ulong AcpiRsdp { get; init; }

    /// <summary>What the capture kernel needs to go on with EFI; null if the machine has none, or the kernel does not tell it.</summary>
    public EfiHandOff? Efi { get; init; }

    /// <summary>The device tree that the running kernel was started with; empty on the many machines that have none.</summary>
    public ReadOnlyMemory<byte> DeviceTree { get; init; }

    /// <summary>Reads it.</summary>
    /// <param name="root">The system.</param>
    /// <param name="commandLine">The running kernel's command line.</param>
    internal static X86Firmware Read(SystemRoot root, string commandLine)
    {
        byte[] bootParams = root.TryReadBytes("/sys/kernel/boot_params/data", X86_64Platform.PageSize)
            ?? root.TryReadBytes("/sys/kernel/debug/boot_params/data", X86_64Platform.PageSize) ?? [];
        return new()
        {
            BootParams = bootParams.Length == X86_64Platform.PageSize ? bootParams : default,
            AcpiRsdp = ReadRsdp(root, bootParams),
            IsEfi = root.Exists("/sys/firmware/efi"),
            DeviceTree = root.TryReadBytes("/sys/firmware/fdt", DeviceTreeBlob.SizeLimit) ?? [],
            Efi = EfiHandOff.Read(root, bootParams, commandLine),
        };
    }

    private static ulong ReadRsdp(SystemRoot root, byte[] bootParams)
    {
        if (bootParams.Length >= 0x78 && BinaryPrimitives.ReadUInt64LittleEndian(bootParams.AsSpan(0x70)) is > 0 and { } address)
            return address;
        return EfiHandOff.ReadTable(root, "ACPI20=", "ACPI=");
    }
}
