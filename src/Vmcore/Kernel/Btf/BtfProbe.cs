using System.Buffers.Binary;
using System.Text;
using Vmcore.Memory;

namespace Vmcore.Kernel.Btf;

/// <summary>A struct or union of which some members are wanted.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Members">Names of members that are its own, not of a nameless struct in it.</param>
internal sealed record BtfWanted(string Name, params string[] Members)
{
    /// <summary>Its size in bytes; 0 if it was not found.</summary>
    internal uint Size { get; set; }

    /// <summary>Byte offset of each member; -1 if it was not found.</summary>
    internal int[] Offsets { get; } = [.. Members.Select(static _ => -1)];
}

/// <summary>
/// Finds a few structs in the kernel's BTF without holding it: two passes over its bytes with a small buffer, strings first, each only until all is found. Of
/// several structs of a name the first counts. Format: Documentation/bpf/btf.rst.
/// </summary>
internal sealed class BtfProbe
{
    private const int WindowBytes = 128 << 10;

    // A string or a type that is longer is passed over.
    private const int LongestName = 63;
    private const int TypeHeader = 12, MemberSize = 12;

    private readonly IVirtualMemory _memory;
    private readonly byte[] _window = new byte[WindowBytes];
    private string[] _names = [];
    private uint[] _offsets = [];

    // By length and first byte: a name of these is wanted. Of 100,000 strings few are looked at.
    private readonly bool[] _beginnings = new bool[(LongestName + 1) << 8];

    private BtfProbe(IVirtualMemory memory) => _memory = memory;

    /// <summary>Looks for structs.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="start">Address of the BTF.</param>
    /// <param name="stop">One past its last byte.</param>
    /// <param name="wanted">What to look for; receives what is found.</param>
    /// <returns>False if there is no BTF, or it cannot be read as far as needed.</returns>
    internal static bool TryFind(IVirtualMemory memory, ulong start, ulong stop, params BtfWanted[] wanted)
    {
        byte[] header = new byte[BtfBlob.HeaderLength];
        if (stop <= start || stop - start > (ulong)memory.Limits.BtfBytes || memory.Read(start, header) != MemoryStatus.Ok
            || !header.AsSpan().StartsWith(BtfBlob.Magic))
            return false;
        ulong types = start + UInt32(header, 4) + UInt32(header, 8), typesEnd = types + UInt32(header, 12);
        ulong strings = start + UInt32(header, 4) + UInt32(header, 16), stringsEnd = strings + UInt32(header, 20);
        if (typesEnd > stop || stringsEnd > stop)
            return false;
        var probe = new BtfProbe(memory);
        List<string> names = [];
        foreach (BtfWanted want in wanted)
            names.AddRange([want.Name, .. want.Members]);
        probe._names = [.. names];
        probe._offsets = new uint[names.Count];
        foreach (string name in names)
            probe._beginnings[Beginning(name.Length, (byte)name[0])] = true;
        return probe.FindNames(strings, stringsEnd) && probe.FindTypes(types, typesEnd, wanted);
    }

    private bool FindNames(ulong start, ulong end)
    {
        Span<char> text = stackalloc char[LongestName];
        for (ulong at = start; at < end;)
        {
            Span<byte> window = _window.AsSpan(0, (int)Math.Min(WindowBytes, end - at));
            if (_memory.Read(at, window) != MemoryStatus.Ok)
                return false;
            int used = 0;
            while (window[used..].IndexOf((byte)0) is var length && length >= 0)
            {
                if (length is > 0 and <= LongestName && _beginnings[Beginning(length, window[used])]
                    && Encoding.Latin1.GetChars(window.Slice(used, length), text) == length)
                    TakeName(text[..length], (uint)(at - start) + (uint)used);
                used += length + 1;
            }

            if (Array.TrueForAll(_offsets, static o => o != 0))
                return true;
            // What ends in the next window is looked at there.
            at += used > 0 ? (ulong)used : (ulong)window.Length;
        }

        return true;
    }

    /// <summary>BTF has each string once; a name can be wanted twice.</summary>
    private void TakeName(ReadOnlySpan<char> name, uint offset)
    {
        for (int i = 0; i < _names.Length; i++)
        {
            if (name.SequenceEqual(_names[i]))
                _offsets[i] = offset;
        }
    }

    private bool FindTypes(ulong start, ulong end, BtfWanted[] wanted)
    {
        for (ulong at = start; at + TypeHeader <= end;)
        {
            Span<byte> window = _window.AsSpan(0, (int)Math.Min(WindowBytes, end - at));
            if (_memory.Read(at, window) != MemoryStatus.Ok)
                return false;
            int used = 0;
            while (used + TypeHeader <= window.Length)
            {
                ReadOnlySpan<byte> type = window[used..];
                uint info = UInt32(type, 4);
                long length = TypeHeader + ExtraBytes((BtfKind)(info >> 24 & 0x1f), info & 0xffff);
                if (length > type.Length)
                    break;
                if ((BtfKind)(info >> 24 & 0x1f) is BtfKind.Struct or BtfKind.Union && UInt32(type, 0) is var name and not 0)
                    Take(type[..(int)length], name, wanted);
                used += (int)length;
            }

            if (Array.TrueForAll(wanted, static w => w.Size != 0))
                return true;
            // A type that no window takes is none.
            if (used == 0 && window.Length == WindowBytes)
                return false;
            if (used == 0)
                break;
            at += (ulong)used;
        }

        return true;
    }

    private void Take(ReadOnlySpan<byte> type, uint name, BtfWanted[] wanted)
    {
        foreach (BtfWanted want in wanted)
        {
            if (OffsetOf(want.Name) != name || want.Size != 0)
                continue;
            want.Size = UInt32(type, 8);
            bool hasBitFields = UInt32(type, 4) >> 31 != 0;
            for (int at = TypeHeader; at + MemberSize <= type.Length; at += MemberSize)
            {
                uint offset = UInt32(type, at + 8), member = UInt32(type, at);
                for (int i = 0; i < want.Members.Length; i++)
                {
                    if (member != 0 && OffsetOf(want.Members[i]) == member)
                        want.Offsets[i] = (int)((hasBitFields ? offset & 0xffffff : offset) / 8);
                }
            }
        }
    }

    private static int Beginning(int length, byte first) => (length << 8) | first;

    private uint OffsetOf(string name) => _offsets[Array.IndexOf(_names, name)];

    /// <summary>Bytes that follow the header of a type.</summary>
    private static long ExtraBytes(BtfKind kind, uint count) => kind switch
    {
        BtfKind.Int or BtfKind.Variable or BtfKind.DeclarationTag => 4,
        BtfKind.Array => 12,
        BtfKind.Struct or BtfKind.Union or BtfKind.DataSection or BtfKind.Enum64 => MemberSize * (long)count,
        BtfKind.Enum or BtfKind.FunctionPrototype => 8L * count,
        _ => 0,
    };

    private static uint UInt32(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);
}
