namespace Vmcore.Kexec;

/// <summary>What kind of serial line it is.</summary>
public enum StubConsoleKind
{
    /// <summary>There is none.</summary>
    None,

    /// <summary>An 8250 behind I/O ports.</summary>
    IoPort,

    /// <summary>Arm's PL011, or the SBSA's part of it, in memory.</summary>
    Pl011,

    /// <summary>An 8250 in memory, its registers 32 bits wide and 4 bytes apart.</summary>
    Uart32,

    /// <summary>An 8250 in memory, its registers bytes side by side.</summary>
    Uart8,
}

/// <summary>The serial line on which the stub reports damaged memory.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Address">Its I/O port or physical address.</param>
internal readonly record struct StubConsole(StubConsoleKind Kind, ulong Address);
