namespace Vmcore.Kernel.Log;

/// <summary>How the crashed kernel keeps its log.</summary>
public enum LogFormat
{
    /// <summary>Plain text in a ring (before 3.5).</summary>
    Text,

    /// <summary>Records of varying length in a ring (3.5 to 5.9).</summary>
    Records,

    /// <summary>The lockless printk_ringbuffer: descriptors and texts in rings of their own (5.10 and later).</summary>
    Ringbuffer,
}

/// <summary>One message of the kernel's log.</summary>
public readonly record struct LogRecord
{
    /// <summary>Bit of <see cref="CallerId"/>: the rest is the number of a CPU, not of a task.</summary>
    public const uint CallerIsCpu = 0x8000_0000;

    /// <summary>Number of the message since boot; 0 where the format does not keep it.</summary>
    public ulong Sequence { get; init; }

    /// <summary>When it was logged, in nanoseconds since boot; null for a log of plain text, whose lines say it themselves or not at all.</summary>
    public ulong? Timestamp { get; init; }

    /// <summary>Log level, 0 (emergency) to 7 (debug); null for a log of plain text.</summary>
    public int? Level { get; init; }

    /// <summary>Syslog facility: 0 for the kernel's own messages; null for a log of plain text.</summary>
    public int? Facility { get; init; }

    /// <summary>The task or CPU that logged it, see <see cref="CallerIsCpu"/>; null where the format does not keep it.</summary>
    public uint? CallerId { get; init; }

    /// <summary>Virtual address of the record's <c>struct printk_info</c>; 0 where the format has none.</summary>
    internal ulong FactsAddress { get; init; }

    /// <summary>The message as its bytes are, without a final newline; valid until the next record is asked for.</summary>
    public ReadOnlyMemory<byte> Text { get; init; }

    /// <summary>True if the message has a record but no bytes in the ring of texts: it was empty, or did not fit.</summary>
    public bool IsDataless { get; init; }

    /// <summary>True for a line of a log of plain text that no newline ends.</summary>
    public bool IsUnterminated { get; init; }
}
