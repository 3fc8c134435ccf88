using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Vmcore.Kexec;

/// <summary>A PT_LOAD of /proc/kcore: virtual and physical address (-1 if it is not memory) and length in bytes.</summary>
internal readonly record struct KcoreSegment(ulong Virtual, ulong Physical, ulong Length)
{
    /// <summary>True if it is memory that has one physical place.</summary>
    public bool IsMemory => Physical != ulong.MaxValue;
}

/// <summary>What the beginning of /proc/kcore says: an ELF core of the running kernel, whose headers and notes lie in front of the memory.</summary>
internal sealed class KcoreLayout
{
    private const int HeadLimit = 1 << 19;
    private readonly byte[] _head;

    private KcoreLayout(byte[] head)
    {
        _head = head;
        Segments = [];
        if (head.Length < 64 || !head.AsSpan().StartsWith("\x7f"u8) || head[4] != 2)
            return;
        Machine = BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(18));
        Segments = ReadSegments(head);
    }

    /// <summary>Its e_machine; 0 if there is no such file.</summary>
    public ushort Machine { get; }

    /// <summary>Its PT_LOADs.</summary>
    public IReadOnlyList<KcoreSegment> Segments { get; }

    /// <summary>True if it has a vmcoreinfo note.</summary>
    public bool HasInfo => Has("\nPAGESIZE=");

    /// <summary>True if its vmcoreinfo note has the key of the kernel's list of memmaps on pmem.</summary>
    public bool KnowsPmem => Has("SYMBOL(devm_memmap_vmcore_head)=");

    /// <summary>Size of a struct page in bytes by that note; 0 if it does not say 64.</summary>
    public int StructPageSize => Has("\nSIZE(page)=64\n") ? 64 : 0;

    /// <summary>Reads it.</summary>
    public static KcoreLayout Read(SystemRoot root) => new(root.TryReadBytes("/proc/kcore", HeadLimit) ?? []);

    /// <summary>A decimal number of the vmcoreinfo note; null if it is not there.</summary>
    /// <param name="key">The key, for example <c>NUMBER(SECTION_SIZE_BITS)</c>.</param>
    public ulong? Number(string key)
    {
        byte[] wanted = Encoding.ASCII.GetBytes($"\n{key}=");
        int at = _head.AsSpan().IndexOf(wanted);
        if (at < 0)
            return null;
        ReadOnlySpan<byte> value = _head.AsSpan(at + wanted.Length);
        int end = value.IndexOf((byte)'\n');
        return ulong.TryParse(end < 0 ? value : value[..end], NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? number : null;
    }

    private static List<KcoreSegment> ReadSegments(byte[] head)
    {
        List<KcoreSegment> segments = [];
        ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(head.AsSpan(32));
        int size = BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(54));
        int count = BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(56));
        for (int i = 0; i < count && size >= 56 && offset <= (ulong)head.Length; i++)
        {
            int at = (int)offset + (i * size);
            if (at > head.Length - 56)
                break;
            ReadOnlySpan<byte> header = head.AsSpan(at, 56);
            if (BinaryPrimitives.ReadUInt32LittleEndian(header) == 1)
            {
                segments.Add(new(
                    BinaryPrimitives.ReadUInt64LittleEndian(header[16..]),
                    BinaryPrimitives.ReadUInt64LittleEndian(header[24..]),
                    BinaryPrimitives.ReadUInt64LittleEndian(header[40..])));
            }
        }

        return segments;
    }

    private bool Has(string text) => _head.AsSpan().IndexOf(Encoding.ASCII.GetBytes(text)) >= 0;
}
