using System.Buffers.Binary;
using System.Text;
using Vmcore.Kernel.Btf;

namespace Vmcore.Tests.Kernel;

/// <summary>Builds BTF blobs. Type ids are those that the methods return, from 1 on.</summary>
internal sealed class BtfBuilder
{
    private readonly List<byte> _types = [];
    private readonly List<byte> _strings = [0];
    private uint _count;

    public uint Add(BtfKind kind, string name, uint sizeOrType, int length = 0, bool flag = false, params uint[] data)
    {
        Word(Text(name));
        Word((uint)length | ((uint)kind << 24) | (flag ? 0x80000000 : 0));
        Word(sizeOrType);
        foreach (uint word in data)
            Word(word);
        return ++_count;
    }

    public uint Int(string name, uint size) => Add(BtfKind.Int, name, size, 0, false, size * 8);

    public uint Composite(BtfKind kind, string name, uint size, params (string Name, uint Type, uint Bits)[] members) =>
        Add(kind, name, size, members.Length, false, [.. members.SelectMany(m => (uint[])[Text(m.Name), m.Type, m.Bits])]);

    public uint WithBitFields(string name, uint size, params (string Name, uint Type, uint Bits, uint Width)[] members) =>
        Add(BtfKind.Struct, name, size, members.Length, true, [.. members.SelectMany(m => (uint[])[Text(m.Name), m.Type, m.Bits | (m.Width << 24)])]);

    public uint Enum(string name, params (string Name, int Value)[] values) =>
        Add(BtfKind.Enum, name, 4, values.Length, false, [.. values.SelectMany(v => (uint[])[Text(v.Name), (uint)v.Value])]);

    public uint Enum64(string name, params (string Name, long Value)[] values) =>
        Add(BtfKind.Enum64, name, 8, values.Length, false, [.. values.SelectMany(v => (uint[])[Text(v.Name), (uint)v.Value, (uint)(v.Value >> 32)])]);

    /// <summary>The blob, with a header of any length from 24 on.</summary>
    public byte[] Build(int header = 24)
    {
        byte[] blob = new byte[header + _types.Count + _strings.Count];
        BinaryPrimitives.WriteUInt32LittleEndian(blob, 0x0001eb9f);
        uint[] words = [(uint)header, 0, (uint)_types.Count, (uint)_types.Count, (uint)_strings.Count];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(blob.AsSpan(4 + (4 * i)), words[i]);
        _types.CopyTo(blob, header);
        _strings.CopyTo(blob, header + _types.Count);
        return blob;
    }

    private uint Text(string text)
    {
        if (text.Length == 0)
            return 0;
        uint offset = (uint)_strings.Count;
        _strings.AddRange([.. Encoding.UTF8.GetBytes(text), 0]);
        return offset;
    }

    private void Word(uint value) => _types.AddRange(BitConverter.GetBytes(value));
}
