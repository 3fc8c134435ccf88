using System.Buffers.Binary;
using System.Text;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>
/// A flattened device tree ("DTB"), read and written (Devicetree Specification 0.4, chapter 5). What is read is checked as if somebody had made
/// it to do harm: the file may be given by hand.
/// </summary>
internal sealed class DeviceTreeBlob
{
    /// <summary>Longest blob that Linux maps, in bytes (MAX_FDT_SIZE).</summary>
    public const int SizeLimit = 2 << 20;

    private const uint Magic = 0xd00dfeed;
    private const uint Version = 17;

    // The last version that can read what is written in this form; older ones have no length of the structure block.
    private const uint CompatibleVersion = 16;
    private const int HeaderSize = 40;
    private const uint BeginNode = 1, EndNode = 2, Property = 3, Nop = 4, End = 9;
    private const int DepthLimit = 64;

    /// <summary>The root.</summary>
    public DeviceTreeNode Root { get; private init; } = new("");

    /// <summary>Memory that the firmware reserves, in bytes.</summary>
    public List<PhysicalRange> Reservations { get; } = [];

    /// <summary>Number of the CPU that boots.</summary>
    public uint BootCpu { get; private init; }

    /// <summary>Reads a blob. Bytes behind its end are allowed.</summary>
    /// <param name="bytes">The blob.</param>
    /// <param name="source">Where it comes from, for the message.</param>
    /// <exception cref="KexecException">It is damaged.</exception>
    public static DeviceTreeBlob Parse(ReadOnlySpan<byte> bytes, string source)
    {
        if (bytes.Length < HeaderSize || Word(bytes, 0) != Magic)
            throw Damaged(source, 0, "no device tree begins here (0xd00dfeed expected)");
        uint size = Word(bytes, 4), structure = Word(bytes, 8), strings = Word(bytes, 12), reserved = Word(bytes, 16);
        uint version = Word(bytes, 20), compatible = Word(bytes, 24), stringsSize = Word(bytes, 32);
        if (size > bytes.Length || size > SizeLimit)
            throw Damaged(source, 4, $"it says that it is {size} bytes long, and there are {bytes.Length} (at most {SizeLimit})");
        if (version < CompatibleVersion || compatible > Version)
            throw Damaged(source, 20, $"its version {version} (compatible with {compatible}) is not one of 16 and 17");
        uint structureSize = version >= Version ? Word(bytes, 36) : size - Math.Min(size, structure);
        if (!Fits(size, structure, structureSize) || !Fits(size, strings, stringsSize) || reserved > size || ((structure | reserved) & 3) != 0)
            throw Damaged(source, 8, "its blocks lie outside of it");
        bytes = bytes[..(int)size];
        var reader = new Reader(bytes.Slice((int)structure, (int)structureSize), bytes.Slice((int)strings, (int)stringsSize), source, (int)structure);
        var blob = new DeviceTreeBlob { Root = reader.Read(), BootCpu = Word(bytes, 28) };
        for (int at = (int)reserved; ; at += 16)
        {
            if (at > bytes.Length - 16)
                throw Damaged(source, at, "its list of reserved memory has no end");
            ulong start = BinaryPrimitives.ReadUInt64BigEndian(bytes[at..]), length = BinaryPrimitives.ReadUInt64BigEndian(bytes[(at + 8)..]);
            if (start == 0 && length == 0)
                return blob;
            if (length > ulong.MaxValue - start)
                throw Damaged(source, at, "a piece of reserved memory goes beyond 64 bits");
            if (length > 0)
                blob.Reservations.Add(new(start, start + length));
        }
    }

    /// <summary>Writes it.</summary>
    public byte[] ToBytes()
    {
        var structure = new Writer();
        structure.Write(Root);
        structure.Cell(End);
        int reserved = (Reservations.Count + 1) * 16;
        int strings = HeaderSize + reserved + structure.Length;
        byte[] bytes = new byte[(strings + structure.Strings.Count + 7) & ~7];
        ReadOnlySpan<uint> header =
        [
            Magic, (uint)bytes.Length, (uint)(HeaderSize + reserved), (uint)strings, HeaderSize, Version, CompatibleVersion, BootCpu,
            (uint)structure.Strings.Count, (uint)structure.Length,
        ];
        for (int i = 0; i < header.Length; i++)
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(i * 4), header[i]);
        for (int i = 0; i < Reservations.Count; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(HeaderSize + (i * 16)), Reservations[i].Start);
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(HeaderSize + (i * 16) + 8), Reservations[i].Length);
        }

        structure.CopyTo(bytes.AsSpan(HeaderSize + reserved));
        structure.Strings.CopyTo(bytes, strings);
        return bytes;
    }

    private static uint Word(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]);

    private static bool Fits(uint size, uint offset, uint length) => offset <= size && length <= size - offset;

    private static KexecException Damaged(string source, int at, string what) => new($"The device tree {source} is damaged at offset 0x{at:x}: {what}.", 1);

    private ref struct Reader(ReadOnlySpan<byte> structure, ReadOnlySpan<byte> strings, string source, int origin)
    {
        private readonly ReadOnlySpan<byte> _structure = structure;
        private readonly ReadOnlySpan<byte> _strings = strings;
        private int _at;

        public DeviceTreeNode Read()
        {
            DeviceTreeNode? root = null;
            var open = new Stack<DeviceTreeNode>();
            while (true)
            {
                int start = _at;
                switch (Next())
                {
                    case BeginNode:
                        if (open.Count == DepthLimit || (open.Count == 0 && root is not null))
                            throw Damaged(source, origin + start, open.Count == 0 ? "it has two roots" : "its nodes are nested too deep");
                        var node = new DeviceTreeNode(Name());
                        if (open.Count > 0)
                            open.Peek().Nodes.Add(node);
                        root ??= node;
                        open.Push(node);
                        break;
                    case EndNode when open.Count > 0:
                        open.Pop();
                        break;
                    case Property when open.Count > 0:
                        open.Peek().Properties.Add(ReadProperty());
                        break;
                    case Nop:
                        break;
                    case End when root is not null && open.Count == 0:
                        return root;
                    default:
                        throw Damaged(source, origin + start, "a token that makes no sense here");
                }
            }
        }

        private DeviceTreeProperty ReadProperty()
        {
            int start = _at;
            uint length = Next(), name = Next();
            if (length > (uint)(_structure.Length - _at))
                throw Damaged(source, origin + start, $"a property of {length} bytes, where {_structure.Length - _at} are left");
            byte[] value = _structure.Slice(_at, (int)length).ToArray();
            _at = (_at + (int)length + 3) & ~3;
            int end = name < (uint)_strings.Length ? _strings[(int)name..].IndexOf((byte)0) : -1;
            if (end <= 0)
                throw Damaged(source, origin + start + 4, $"the name of a property at offset {name} of the strings, which have {_strings.Length} bytes");
            return new(Encoding.UTF8.GetString(_strings.Slice((int)name, end)), value);
        }

        private string Name()
        {
            int end = _structure[_at..].IndexOf((byte)0);
            if (end < 0)
                throw Damaged(source, origin + _at, "the name of a node without an end");
            string name = Encoding.UTF8.GetString(_structure.Slice(_at, end));
            _at = (_at + end + 4) & ~3;
            return name;
        }

        private uint Next()
        {
            if (_at > _structure.Length - 4)
                throw Damaged(source, origin + Math.Min(_at, _structure.Length), "its structure ends in the middle");
            _at += 4;
            return Word(_structure, _at - 4);
        }
    }

    private sealed class Writer
    {
        private readonly List<byte> _structure = [];
        private readonly Dictionary<string, int> _names = new(StringComparer.Ordinal);

        public List<byte> Strings { get; } = [];

        public int Length => _structure.Count;

        public void CopyTo(Span<byte> target)
        {
            for (int i = 0; i < _structure.Count; i++)
                target[i] = _structure[i];
        }

        public void Write(DeviceTreeNode node)
        {
            Cell(BeginNode);
            _structure.AddRange(Encoding.UTF8.GetBytes(node.Name));
            _structure.Add(0);
            Pad();
            foreach (DeviceTreeProperty property in node.Properties)
            {
                Cell(Property);
                Cell((uint)property.Value.Length);
                Cell((uint)NameOf(property.Name));
                _structure.AddRange(property.Value);
                Pad();
            }

            foreach (DeviceTreeNode child in node.Nodes)
                Write(child);
            Cell(EndNode);
        }

        public void Cell(uint value) => _structure.AddRange([(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value]);

        private void Pad()
        {
            while (_structure.Count % 4 != 0)
                _structure.Add(0);
        }

        private int NameOf(string name)
        {
            if (_names.TryGetValue(name, out int at))
                return at;
            at = Strings.Count;
            Strings.AddRange(Encoding.UTF8.GetBytes(name));
            Strings.Add(0);
            _names.Add(name, at);
            return at;
        }
    }
}
