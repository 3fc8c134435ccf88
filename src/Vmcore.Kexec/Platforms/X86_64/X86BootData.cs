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

    /// <summary>Decides what goes in.</summary>
    public X86BootData(BootRequest request)
    {
        _request = request;
        _kernel = (BzImage)request.Kernel;
        _firmware = (X86Firmware)request.System.Firmware;
        _efi = request.Options.NoEfi || !_kernel.TakesEfi ? null : _firmware.Efi;
        Memory = E820Map.Build(request.System.Iomem, request.ElfCoreHeader);
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
    public override int SizeOf(int commandLine) => BootParams.SizeOf(commandLine, Memory.Count, _request.Options.RandomSeed.Length, _efi);

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
    });

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
