using System.Buffers.Binary;
using System.Text;
using Vmcore.Debugging;
using Vmcore.Formats.Elf;

namespace Vmcore.Tests.Debugging;

/// <summary>
/// Each form of an attribute's value, encoded by hand (DWARF 5, section 7.5.6): what is read of it, and that nothing else is. Behind each value stands another
/// one, which comes out wrong if a byte too many or too few was taken.
/// </summary>
public sealed class DwarfFormTests
{
    private const byte Sentinel = 0x5a;

    /// <summary>form, bytes of the value, the number.</summary>
    public static TheoryData<int, string, long?> Numbers => new()
    {
        { 0x0b, "80", 0x80 }, // data1: without a sign
        { 0x05, "ff80", 0x80ff },
        { 0x06, "01000080", 0x8000_0001 },
        { 0x07, "ffffffffffffffff", -1 },
        { 0x0c, "01", 1 }, // flag
        { 0x0d, "7f", -1 }, // sdata
        { 0x0d, "c000", 64 },
        { 0x0d, "8080808080808080807f", long.MinValue },
        { 0x0f, "7f", 127 }, // udata
        { 0x0f, "e58e26", 624485 },
        { 0x0f, "ffffffffffffffffff01", -1 },
        { 0x0f, "80808000", 0 }, // more bytes than it needs
        { 0x17, "78563412", 0x1234_5678 }, // sec_offset
        { 0x19, "", 1 }, // flag_present
        { 0x18, "022310", 16 }, // exprloc: DW_OP_plus_uconst 16, as DWARF 2 has member offsets
        { 0x0a, "0323e807", 1000 }, // block1 of the same
        { 0x09, "022308", 8 }, // block
        { 0x18, "0196", null }, // another operation
        { 0x18, "00", null },
        { 0x16, "0b2a", 42 }, // indirect: data1
        { 0x16, "0d7f", -1 },
        { 0x1e, "00112233445566778899aabbccddeeff", null }, // data16: no number of 64 bits
    };

    /// <summary>Forms that are only passed over, in a unit of the 32-bit format with addresses of 8 bytes.</summary>
    public static TheoryData<int, string> Skipped => new()
    {
        { 0x01, "0102030405060708" }, // addr
        { 0x03, "0300aabbcc" }, // block2
        { 0x04, "02000000aabb" }, // block4
        { 0x09, "02aabb" }, // block
        { 0x0a, "00" }, // block1, empty
        { 0x18, "8201" + new string('1', 2 * 130) }, // exprloc of 130 bytes
        { 0x08, "616200" }, // string
        { 0x0e, "01020304" }, // strp
        { 0x10, "01020304" }, // ref_addr: an offset since DWARF 3
        { 0x11, "01" },
        { 0x12, "0102" },
        { 0x13, "01020304" },
        { 0x14, "0102030405060708" },
        { 0x15, "ff01" },
        { 0x1a, "ff01" }, // strx
        { 0x1b, "ff01" }, // addrx
        { 0x1c, "01020304" }, // ref_sup4
        { 0x1d, "01020304" }, // strp_sup
        { 0x1e, "00112233445566778899aabbccddeeff" },
        { 0x1f, "01020304" }, // line_strp
        { 0x20, "0102030405060708" }, // ref_sig8
        { 0x22, "ff01" }, // loclistx
        { 0x23, "ff01" }, // rnglistx
        { 0x24, "0102030405060708" }, // ref_sup8
        { 0x25, "01" }, // strx1 … strx4
        { 0x26, "0102" },
        { 0x27, "010203" },
        { 0x28, "01020304" },
        { 0x29, "01" }, // addrx1 … addrx4
        { 0x2a, "0102" },
        { 0x2b, "010203" },
        { 0x2c, "01020304" },
        { 0x1f01, "ff01" }, // GNU_addr_index
        { 0x1f02, "ff01" }, // GNU_str_index
        { 0x1f20, "01020304" }, // GNU_ref_alt
        { 0x1f21, "01020304" }, // GNU_strp_alt
        { 0x16, "01" + "0102030405060708" }, // indirect: addr
    };

    /// <summary>form, bytes, the text; .debug_str has "str" at 4, .debug_line_str "line" at 2, string 1 is "str".</summary>
    public static TheoryData<int, string, string?> Texts => new()
    {
        { 0x08, "6162636400", "abcd" },
        { 0x08, "00", "" },
        { 0x0e, "04000000", "str" },
        { 0x0e, "06000000", "r" }, // inside of another
        { 0x0e, "ffffff7f", "" }, // outside
        { 0x1f, "02000000", "line" },
        { 0x1a, "01", "str" },
        { 0x25, "01", "str" },
        { 0x26, "0100", "str" },
        { 0x27, "010000", "str" },
        { 0x28, "01000000", "str" },
        { 0x1f02, "01", "str" },
        { 0x1f21, "04000000", null }, // in another file
        { 0x1d, "04000000", null },
    };

    /// <summary>form, bytes, where the reference leads.</summary>
    public static TheoryData<int, string, long?> References => new()
    {
        { 0x11, "0c", 0x0c },
        { 0x12, "0c00", 0x0c },
        { 0x13, "0c000000", 0x0c },
        { 0x14, "0c00000000000000", 0x0c },
        { 0x15, "8c00", 0x0c },
        { 0x10, "00010000", 0x100 }, // ref_addr: of the section, may leave the unit
        { 0x20, "0807060504030201", null }, // a signature
        { 0x1f20, "0c000000", null }, // in another file
    };

    [Theory]
    [MemberData(nameof(Numbers))]
    public void NumbersAreRead(int form, string bytes, long? expected)
    {
        // DW_AT_upper_bound, and DW_AT_byte_size behind it.
        DwarfEntry entry = Read(0x2f, form, Convert.FromHexString(bytes));
        Assert.Equal(expected, entry.UpperBound);
        Assert.Equal(Sentinel, entry.ByteSize);
    }

    [Fact]
    public void ANumberMayStandInTheAbbreviation()
    {
        byte[] abbreviation = [1, 0x34, 0, 0x2f, 0x21, 0x7e, 0x0b, 0x0b, 0, 0, 0];
        DwarfEntry entry = Read(abbreviation, [1, Sentinel], version: 5, is64: false);
        Assert.Equal(-2, entry.UpperBound);
        Assert.Equal(Sentinel, entry.ByteSize);
    }

    [Theory]
    [MemberData(nameof(Skipped))]
    public void WhatIsNotNeededIsPassedOver(int form, string bytes)
    {
        // An attribute of a vendor.
        Assert.Equal(Sentinel, Read(0x2107, form, Convert.FromHexString(bytes)).ByteSize);
    }

    [Theory]
    [InlineData(2, false, 0x10, 8)] // ref_addr was an address
    [InlineData(3, false, 0x10, 4)]
    [InlineData(4, true, 0x10, 8)]
    [InlineData(4, true, 0x0e, 8)] // strp
    [InlineData(5, true, 0x1f, 8)] // line_strp
    [InlineData(5, true, 0x17, 8)] // sec_offset
    [InlineData(5, true, 0x1f20, 8)]
    [InlineData(5, true, 0x13, 4)] // ref4 is four bytes in both formats
    public void OffsetsAreAsWideAsTheFormatOfTheUnit(int version, bool is64, int form, int width) =>
        Assert.Equal(Sentinel, Read(Abbreviation(0x2107, form), [1, .. new byte[width], Sentinel], version, is64).ByteSize);

    [Theory]
    [MemberData(nameof(Texts))]
    public void NamesAreRead(int form, string bytes, string? expected)
    {
        byte[] abbreviation = Abbreviation(0x03, form), value = Convert.FromHexString(bytes);
        using ElfObjectFile file = Build(abbreviation, [1, .. value, Sentinel], version: 5, is64: false);
        DwarfUnit unit = DwarfSections.TryOpen(file)!.Load(0);
        var entry = new DwarfEntry();
        entry.Read(unit, unit.Header.HeaderSize);
        Assert.Equal(Sentinel, entry.ByteSize);
        Assert.Equal(expected is null, entry.NeedsOtherFile);
        Assert.Equal(expected ?? "", Encoding.ASCII.GetString(unit.TextOf(entry.Name)));
    }

    [Theory]
    [MemberData(nameof(References))]
    public void ReferencesLeadWhereTheySay(int form, string bytes, long? expected)
    {
        DwarfEntry entry = Read(0x49, form, Convert.FromHexString(bytes));
        Assert.Equal(expected, entry.Type);
        Assert.Equal(form == 0x20 ? 0x0102_0304_0506_0708UL : 0, entry.TypeSignature);
        Assert.Equal(form == 0x1f20, entry.NeedsOtherFile);
        Assert.Equal(Sentinel, entry.ByteSize);
    }

    [Theory]
    [InlineData("0903efbeadde00000000", 0xdeadbeefUL)] // DW_OP_addr
    [InlineData("02a101", 0x1122_3344_5566_7788UL)] // DW_OP_addrx 1
    [InlineData("02fb01", 0x1122_3344_5566_7788UL)] // DW_OP_GNU_addr_index 1
    [InlineData("02a17f", null)] // behind the table
    [InlineData("0a03efbeadde0000000096", null)] // more than an address
    [InlineData("00", null)]
    public void AVariableIsWhereItsExpressionSays(string bytes, ulong? expected)
    {
        DwarfEntry entry = Read(0x02, 0x18, Convert.FromHexString(bytes));
        Assert.Equal(expected, entry.Address);
        Assert.Equal(Sentinel, entry.ByteSize);
    }

    [Theory]
    [InlineData(0x0b, "")] // data1 without its byte
    [InlineData(0x07, "01020304")]
    [InlineData(0x08, "616263")] // a string without an end
    [InlineData(0x09, "ff0f00")] // a block that overruns the unit
    [InlineData(0x0f, "808080")] // a number without an end
    [InlineData(0x16, "16")] // indirect names indirect
    [InlineData(0x16, "21")] // indirect names implicit_const
    [InlineData(0x7f, "00")] // unknown
    public void DamagedValuesAreRefused(int form, string bytes)
    {
        byte[] value = [1, .. Convert.FromHexString(bytes)];
        Assert.Throws<DwarfException>(() => Read([.. Abbreviation(0x2107, form)[..^5], 0, 0, 0], value, version: 5, is64: false));
    }

    private static DwarfEntry Read(int attribute, int form, byte[] value) =>
        Read(Abbreviation(attribute, form), [1, .. value, Sentinel], version: 5, is64: false);

    private static DwarfEntry Read(byte[] abbreviation, byte[] entry, int version, bool is64)
    {
        using ElfObjectFile file = Build(abbreviation, entry, version, is64);
        DwarfUnit unit = DwarfSections.TryOpen(file)!.Load(0);
        var read = new DwarfEntry();
        read.Read(unit, unit.Header.HeaderSize);
        return read;
    }

    /// <summary>A variable with the attribute under test and, as a byte, DW_AT_byte_size.</summary>
    private static byte[] Abbreviation(int attribute, int form) => [1, 0x34, 0, .. Uleb(attribute), .. Uleb(form), 0x0b, 0x0b, 0, 0, 0];

    private static byte[] Uleb(int value) => value < 0x80 ? [(byte)value] : [(byte)(value | 0x80), .. Uleb(value >> 7)];

    private static ElfObjectFile Build(byte[] abbreviation, byte[] entry, int version, bool is64)
    {
        int offset = is64 ? 8 : 4;
        byte[] rest = new byte[version >= 5 ? 4 + offset : 3 + offset];
        BinaryPrimitives.WriteUInt16LittleEndian(rest, (ushort)version);
        if (version >= 5)
            (rest[2], rest[3]) = (1, 8);
        else
            rest[^1] = 8;
        byte[] length = new byte[is64 ? 12 : 4];
        if (is64)
            BinaryPrimitives.WriteUInt32LittleEndian(length, uint.MaxValue);
        BinaryPrimitives.WriteInt32LittleEndian(length.AsSpan(is64 ? 4 : 0), rest.Length + entry.Length);

        // Behind the header of each table: entry 0, and entry 1, which leads to "str", or is an address.
        return new ElfSections()
            .Add(".debug_info", [.. length, .. rest, .. entry])
            .Add(".debug_abbrev", abbreviation)
            .Add(".debug_str", "\0\0\0\0str\0"u8)
            .Add(".debug_line_str", "\0\0line\0"u8)
            .Add(".debug_str_offsets", 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0)
            .Add(".debug_addr", 0, 0, 0, 0, 5, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11)
            .Open();
    }
}
