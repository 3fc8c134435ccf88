using System.Buffers.Binary;
using System.Text;
using Vmcore.Formats.Elf;
using Vmcore.Testing;

namespace Vmcore.Tests.Debugging;

/// <summary>An ELF file with nothing but sections.</summary>
internal sealed class ElfSections
{
    private const int HeaderSize = 64;

    private readonly List<(string Name, byte[] Bytes)> _sections = [];

    internal ElfSections Add(string name, params ReadOnlySpan<byte> bytes)
    {
        _sections.Add((name, bytes.ToArray()));
        return this;
    }

    internal ElfObjectFile Open() => ElfObjectFile.Open(new KdumpBytes(ToArray(), "test.elf"));

    private byte[] ToArray()
    {
        using var file = new MemoryStream();
        file.Write(new byte[HeaderSize]);
        byte[] names = [0, .. _sections.SelectMany(static s => Encoding.ASCII.GetBytes(s.Name + "\0")), .. ".shstrtab\0"u8];
        List<byte[]> headers = [new byte[HeaderSize]];
        int name = 1;
        foreach ((string title, byte[] bytes) in _sections.Append((".shstrtab", names)))
        {
            byte[] header = new byte[HeaderSize];
            BinaryPrimitives.WriteInt32LittleEndian(header, name);
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), title == ".shstrtab" ? 3u : 1u);
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), file.Position);
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(32), bytes.Length);
            headers.Add(header);
            name += title.Length + 1;
            file.Write(bytes);
        }

        long table = file.Position;
        headers.ForEach(h => file.Write(h));
        byte[] elf = file.ToArray();
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(elf, 0);
        BinaryPrimitives.WriteUInt16LittleEndian(elf.AsSpan(16), 2);
        BinaryPrimitives.WriteUInt16LittleEndian(elf.AsSpan(18), (ushort)ElfMachine.X86_64);
        BinaryPrimitives.WriteInt64LittleEndian(elf.AsSpan(40), table);
        BinaryPrimitives.WriteUInt16LittleEndian(elf.AsSpan(58), HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(elf.AsSpan(60), (ushort)headers.Count);
        BinaryPrimitives.WriteUInt16LittleEndian(elf.AsSpan(62), (ushort)(headers.Count - 1));
        return elf;
    }
}
