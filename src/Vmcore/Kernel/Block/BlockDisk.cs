namespace Vmcore.Kernel.Block;

/// <summary>How far a request came.</summary>
public enum BlockRequestState
{
    /// <summary>It was made, and not given to the driver: it waits in a scheduler or a queue, or a task was making it.</summary>
    Waiting,

    /// <summary>The driver has it, and did not say that it is done.</summary>
    InFlight,

    /// <summary>The driver said that it is done; the rest was still to do.</summary>
    Complete,
}

/// <summary>A request to a disk (<c>struct request</c>).</summary>
public sealed class BlockRequest
{
    /// <summary>Virtual address of the structure.</summary>
    public required ulong Address { get; init; }

    /// <summary>How far it came.</summary>
    public required BlockRequestState State { get; init; }

    /// <summary>What is to be done, in lower case as the kernel calls it: <c>read</c>, <c>write</c>, <c>flush</c>, <c>discard</c>; a number if it has no
    /// name.</summary>
    public required string Operation { get; init; }

    /// <summary>First sector, of 512 bytes; null of an operation that has none (flush, commands of the driver).</summary>
    public ulong? Sector { get; init; }

    /// <summary>Bytes.</summary>
    public required uint Length { get; init; }

    /// <summary>Number of the request in its hardware queue; null if it has none yet.</summary>
    public int? Tag { get; init; }

    /// <summary>How long ago it was made, in nanoseconds, a tick less at most; null if the kernel did not note it.</summary>
    public ulong? Age { get; init; }

    /// <summary>How long ago the driver got it, likewise; null if it did not, or the kernel did not note it.</summary>
    public ulong? DriverAge { get; init; }

    /// <summary>The function that is called when it is done (bi_end_io of its first bio): who asked for it. 0 if there is none.</summary>
    public ulong EndFunction { get; init; }
}

/// <summary>A disk (<c>struct gendisk</c>).</summary>
public sealed class BlockDisk
{
    /// <summary>Its name, as in /sys/block: <c>sda</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Virtual address of the structure.</summary>
    public required ulong Address { get; init; }

    /// <summary>Virtual address of its <c>struct request_queue</c>.</summary>
    public required ulong Queue { get; init; }

    /// <summary>Its device number.</summary>
    public required Vfs.DeviceNumber Device { get; init; }

    /// <summary>The driver's functions (<c>struct blk_mq_ops</c>); 0 of a disk that takes each bio by itself, as those of dm, md, zram and pmem do.</summary>
    public required ulong Operations { get; init; }

    /// <summary>The requests that it has, the oldest first.</summary>
    public IReadOnlyList<BlockRequest> Requests { get; internal set; } = [];

    /// <summary>Of a disk that takes bios: reads that were not done, as each CPU counts them; null if that is not known, or it has requests.</summary>
    public long? Reads { get; internal set; }

    /// <summary>The same of writes.</summary>
    public long? Writes { get; internal set; }

    /// <summary>True if it has something to do.</summary>
    public bool IsBusy => Requests.Count > 0 || Reads > 0 || Writes > 0;
}
