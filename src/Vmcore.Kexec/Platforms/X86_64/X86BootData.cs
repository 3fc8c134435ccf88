using System.Globalization;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>boot_params with the e820 map, the command line and EFI's hand-over.</summary>
internal sealed class X86BootData : BootData
{
    private readonly BootRequest _request;
    private readonly BzImage _kernel;
    private readonly X86Firmware _firmware;
    private readonly EfiHandOff? _efi;
    private readonly ReadOnlyMemory<byte> _tree;

    /// <summary>Decides what goes in.</summary>
    /// <exception cref="KexecException">The device tree that was named cannot be read, or is damaged.</exception>
    public X86BootData(BootRequest request)
    {
        _request = request;
        _kernel = (BzImage)request.Kernel;
        _firmware = (X86Firmware)request.System.Firmware;
        _efi = request.Options.NoEfi || !_kernel.TakesEfi ? null : _firmware.Efi;
        _tree = ReadTree(request.Options, _firmware);
        Memory = E820Map.Build(request.System.Iomem, [request.ElfCoreHeader, request.Backup], request.System.CrashCma);
        Words = [.. ExtraWords()];
    }

    /// <inheritdoc/>
    public override string Name => "boot_params";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Words { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<MemoryMapEntry> Memory { get; }

    /// <inheritdoc/>
    public override bool HandsEfiOver => _efi is not null;

    /// <inheritdoc/>
    public override int SizeOf(int commandLine) => BootParams.SizeOf(commandLine, Memory.Count, _request.Options.RandomSeed.Length, _efi, _tree.Length);

    /// <inheritdoc/>
    public override byte[] Build(ulong address, byte[] commandLine) => BootParams.Build(new()
    {
        Address = address,
        SetupHeader = _kernel.SetupHeader,
        CommandLine = commandLine,
        Initrd = _request.Initrd,
        Memory = Memory,
        Running = _firmware.BootParams,
        AcpiRsdp = _firmware.AcpiRsdp,
        Efi = _efi,
        RandomSeed = _request.Options.RandomSeed,
        DeviceTree = _tree,
    });

    // Few machines have one. As the in-kernel loader, only on demand: with --force-dtb the running kernel's (KEXEC_FILE_FORCE_DTB).
    private static ReadOnlyMemory<byte> ReadTree(LoadOptions options, X86Firmware firmware)
    {
        if (options.DeviceTreeFile is not { } file)
            return options.ForceDeviceTree ? firmware.DeviceTree : default;
        using ImageBuffer content = InputFile.Read(file, "device tree");
        if (content.GetSpan().Length > DeviceTreeBlob.SizeLimit)
            throw new KexecException($"The device tree {file} has {content.GetSpan().Length} bytes, and the kernel reads {DeviceTreeBlob.SizeLimit}.", 1);
        _ = DeviceTreeBlob.Parse(content.GetSpan(), file);
        return content.GetSpan().ToArray();
    }

    private IEnumerable<string> ExtraWords()
    {
        if (_request.Options.PassMemmap)
        {
            yield return "memmap=exactmap";
            foreach (MemoryMapEntry entry in Memory)
            {
                char sign = entry.Type switch { MemoryMapType.Ram => '@', MemoryMapType.Acpi or MemoryMapType.Nvs => '#', _ => '$' };
                PhysicalRange range = entry.Range;
                yield return string.Create(CultureInfo.InvariantCulture, $"memmap={(range.Length + 1023) >> 10}K{sign}{range.Start >> 10}K");
            }
        }

        // Without EFI there is no other way to the ACPI tables for kernels that do not look into boot_params.
        if (_efi is null && _firmware is { IsEfi: true, AcpiRsdp: > 0 })
            yield return string.Create(CultureInfo.InvariantCulture, $"acpi_rsdp=0x{_firmware.AcpiRsdp:x}");
        yield return string.Create(CultureInfo.InvariantCulture, $"elfcorehdr={_request.ElfCoreHeader.Start >> 10}K");
    }
}
