namespace Vmcore.Kexec;

/// <summary>What the firmware left for a kernel, as far as the running kernel tells it. Each platform has its own.</summary>
public abstract record FirmwareState
{
    /// <summary>True if the machine was booted by EFI.</summary>
    public bool IsEfi { get; init; }
}
