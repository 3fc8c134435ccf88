namespace Vmcore.Kdump.Configuration;

/// <summary>What the machine does when all that is to be saved is saved.</summary>
internal enum FinalAction
{
    /// <summary>Start again.</summary>
    Reboot,

    /// <summary>Switch off.</summary>
    PowerOff,

    /// <summary>Stop, and stay on.</summary>
    Halt,
}

/// <summary>How kdump is to be done: what /etc/vmcore/kdump.conf says, with defaults for what it does not.</summary>
internal sealed record KdumpConfiguration
{
    /// <summary>The first target; null for the default.</summary>
    public KdumpTarget? Target { get; init; }

    /// <summary>What is tried, in this order, if the target fails.</summary>
    public IReadOnlyList<KdumpTarget> Fallbacks { get; init; } = [];

    /// <summary>All targets in the order in which they are tried.</summary>
    public IReadOnlyList<KdumpTarget> Targets => [Target ?? new(TargetKind.Folder, "", "/var/crash"), .. Fallbacks];

    /// <summary>The newest so many dumps of ours stay in a target's folder, the one just made included; 0: all.</summary>
    public int Keep { get; init; } = 5;

    /// <summary>The newest dumps of ours stay that are not larger together, in bytes; 0: no limit. The newest always stays.</summary>
    public long MaxSize { get; init; }

    /// <summary>Dump level, or levels to go to where the target is too small, as <c>makedumpfile -d</c> takes them.</summary>
    public string Level { get; init; } = "31";

    /// <summary>The option of makedumpfile that compresses; empty for none.</summary>
    public string CodecOption { get; init; } = "-l";

    /// <summary>Time that a dump may take; zero for no limit.</summary>
    public TimeSpan TimeLimit { get; init; }

    /// <summary>A dumper that neither computes nor is fed by its target for so long is ended.</summary>
    public TimeSpan StallLimit { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long to wait for a target's device to appear.</summary>
    public TimeSpan DeviceWait { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>What the machine does at the end.</summary>
    public FinalAction Final { get; init; }

    /// <summary>How long it waits before that.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>True to write the first report beside the dump.</summary>
    public bool Report { get; init; } = true;

    /// <summary>True to feed the machine's watchdog.</summary>
    public bool Watchdog { get; init; } = true;

    /// <summary>Kernel modules besides those that the targets need.</summary>
    public IReadOnlyList<string> Modules { get; init; } = [];

    /// <summary>Words for the end of the capture kernel's command line.</summary>
    public string Append { get; init; } = "";

    /// <summary>The capture kernel; empty for the running one's file.</summary>
    public string Kernel { get; init; } = "";

    // A record for "with". Nobody compares or prints one, and what the compiler makes for that is code for each type of a member.

    /// <inheritdoc/>
    public bool Equals(KdumpConfiguration? other) => ReferenceEquals(this, other);

    /// <inheritdoc/>
    public override int GetHashCode() => 0;

    /// <inheritdoc/>
    public override string ToString() => string.Join(' ', Targets);
}
