using System.Buffers.Binary;

namespace Vmcore.Kexec;

/// <summary>How the firmware is called (PSCI, Arm DEN 0022).</summary>
internal enum PsciConduit
{
    /// <summary>There is no PSCI.</summary>
    None,

    /// <summary>By a call of the secure monitor.</summary>
    Smc,

    /// <summary>By a call of the hypervisor.</summary>
    Hvc,
}

/// <summary>What the firmware left for a kernel on arm64.</summary>
internal sealed record Arm64Firmware : FirmwareState
{
    // ACPI 6.5, table 5.9: ARM boot architecture flags of the FADT.
    private const int BootFlagsOffset = 129;

    /// <summary>The device tree that the running kernel was started with; empty if it does not show it. On EFI machines with ACPI it holds little.</summary>
    public ReadOnlyMemory<byte> DeviceTree { get; init; }

    /// <summary>Where that is, for messages.</summary>
    public string DeviceTreeFile { get; init; } = "/sys/firmware/fdt";

    /// <summary>The firmware's serial line.</summary>
    public StubConsole Console { get; init; }

    /// <summary>How the firmware resets the machine.</summary>
    public PsciConduit Psci { get; init; }

    /// <summary>Reads it.</summary>
    internal static Arm64Firmware Read(SystemRoot root)
    {
        byte[] blob = root.TryReadBytes("/sys/firmware/fdt", DeviceTreeBlob.SizeLimit) ?? [];
        DeviceTreeNode tree = TryParse(blob)?.Root ?? new("");
        byte[] fadt = root.TryReadBytes("/sys/firmware/acpi/tables/FACP") ?? [];
        return new()
        {
            DeviceTree = blob,
            DeviceTreeFile = root.Map("/sys/firmware/fdt"),
            IsEfi = root.Exists("/sys/firmware/efi"),
            Console = ConsoleOfAcpi(root.TryReadBytes("/sys/firmware/acpi/tables/SPCR") ?? []) ?? ConsoleOfTree(tree) ?? default,
            Psci = PsciOfAcpi(fadt) ?? PsciOfTree(tree),
        };
    }

    // What of a damaged tree could be known is left out here; whoever needs the tree itself gets the reason.
    private static DeviceTreeBlob? TryParse(byte[] blob)
    {
        try
        {
            return blob.Length == 0 ? null : DeviceTreeBlob.Parse(blob, "/sys/firmware/fdt");
        }
        catch (KexecException)
        {
            return null;
        }
    }

    private static PsciConduit? PsciOfAcpi(byte[] fadt)
    {
        if (fadt.Length < BootFlagsOffset + 2 || !fadt.AsSpan().StartsWith("FACP"u8))
            return null;
        int flags = BinaryPrimitives.ReadUInt16LittleEndian(fadt.AsSpan(BootFlagsOffset));
        return (flags & 1) == 0 ? PsciConduit.None : (flags & 2) == 0 ? PsciConduit.Smc : PsciConduit.Hvc;
    }

    // Documentation/devicetree/bindings/arm/psci.yaml. SYSTEM_RESET came with version 0.2.
    private static PsciConduit PsciOfTree(DeviceTreeNode tree) => tree.Find("psci") switch
    {
        { } psci when !psci.HasText("compatible", "arm,psci-0.2") && !psci.HasText("compatible", "arm,psci-1.0") => PsciConduit.None,
        { } psci => psci.GetText("method") switch { "smc" => PsciConduit.Smc, "hvc" => PsciConduit.Hvc, _ => PsciConduit.None },
        null => PsciConduit.None,
    };

    // Serial Port Console Redirection table: interface type at 36, base address as a generic address structure at 40 (Microsoft, and ACPI 6.5 5.2.3.2).
    private static StubConsole? ConsoleOfAcpi(byte[] table)
    {
        if (table.Length < 52 || !table.AsSpan().StartsWith("SPCR"u8) || table[40] != 0)
            return null;
        ulong address = BinaryPrimitives.ReadUInt64LittleEndian(table.AsSpan(44));
        StubConsoleKind kind = table[36] switch
        {
            3 or 0x0d or 0x0e => StubConsoleKind.Pl011,
            // 16550: the width of its registers is that of an access.
            0 or 1 or 0x12 => table[41] == 32 || table[43] == 3 ? StubConsoleKind.Uart32 : StubConsoleKind.Uart8,
            _ => StubConsoleKind.None,
        };
        return kind == StubConsoleKind.None || address == 0 ? null : new(kind, address);
    }

    // stdout-path names a node, or an alias, perhaps with options behind a colon. Only a node whose address is the CPU's is of use.
    private static StubConsole? ConsoleOfTree(DeviceTreeNode tree)
    {
        string path = (tree.Find("chosen")?.GetText("stdout-path") ?? "").Split(':')[0];
        if (path.Length > 0 && path[0] != '/')
            path = tree.Find("aliases")?.GetText(path) ?? "";
        if (path.Count(static c => c == '/') != 1 || tree.FindPath(path) is not { } node || node.Get("reg") is not { } reg)
            return null;
        int cells = (int)(tree.GetNumber("#address-cells") ?? 2);
        if (cells is not (1 or 2) || reg.Length < cells * 4)
            return null;
        ulong address = cells == 1 ? BinaryPrimitives.ReadUInt32BigEndian(reg) : BinaryPrimitives.ReadUInt64BigEndian(reg);
        StubConsoleKind kind = node.HasText("compatible", "arm,pl011") || node.HasText("compatible", "arm,sbsa-uart") ? StubConsoleKind.Pl011
            : !node.HasText("compatible", "ns16550a") && !node.HasText("compatible", "snps,dw-apb-uart") ? StubConsoleKind.None
            : node.GetNumber("reg-shift") == 2 ? StubConsoleKind.Uart32
            : node.GetNumber("reg-shift") is null or 0 ? StubConsoleKind.Uart8
            : StubConsoleKind.None;
        return kind == StubConsoleKind.None ? null : new(kind, address);
    }
}
