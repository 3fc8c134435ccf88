using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>Where the <c>struct page</c> array of a persistent memory namespace lies.</summary>
public enum MemmapPlace
{
    /// <summary>There is none: raw, sector, or not active.</summary>
    None,

    /// <summary>In RAM (<c>map=mem</c>, or a legacy namespace without an info block): every dump has it.</summary>
    Ram,

    /// <summary>On the media (<c>map=dev</c>): only a dump that knows of it has it.</summary>
    Media,

    /// <summary>The namespace's memory was given to the system as RAM (dax/kmem).</summary>
    SystemRam,
}

/// <summary>A namespace of persistent memory, as /sys/bus/nd shows it.</summary>
public sealed record NdNamespace
{
    /// <summary>Name of the device, for example <c>namespace0.0</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Physical addresses of the namespace, in bytes.</summary>
    public required PhysicalRange Range { get; init; }

    /// <summary>Mode in ndctl's words: <c>fsdax</c>, <c>devdax</c>, <c>sector</c>, <c>raw</c>, <c>system-ram</c>.</summary>
    public required string Mode { get; init; }

    /// <summary>Where its memmap lies.</summary>
    public required MemmapPlace Memmap { get; init; }

    /// <summary>Info block and memmap on the media, in bytes: from the namespace's start to its user data. Empty
    /// unless <see cref="Memmap"/> is <see cref="MemmapPlace.Media"/>.</summary>
    public PhysicalRange Metadata { get; init; }

    /// <summary>User data that have struct pages, in bytes: what the memmap describes besides the metadata. Empty if unknown.</summary>
    public PhysicalRange Data { get; init; }

    /// <summary>Alignment of the user data in bytes; 0 if unknown.</summary>
    public ulong Alignment { get; init; }

    /// <summary>Block or character device, for example <c>pmem0</c> or <c>dax0.1</c>; null if none is known.</summary>
    public string? Device { get; init; }

    /// <summary>Something odd to tell the operator, for example that the device is not bound; null if there is nothing.</summary>
    public string? Note { get; init; }

    /// <summary>The namespace as the operator knows it: <c>namespace0.0 (fsdax, pmem0)</c>.</summary>
    public string Title => Device is null ? $"{Name} ({Mode})" : $"{Name} ({Mode}, {Device})";
}
