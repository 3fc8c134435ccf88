using CsCheck;
using Vmcore.Kernel.Identity;

namespace Vmcore.Tests.Kernel;

public sealed class VmcoreInfoTests
{
    [Fact]
    public void EachKindOfValueIsRead()
    {
        VmcoreInfo info = Parse("OSRELEASE=6.1.0-50-amd64\nBUILD-ID=00ff\nPAGESIZE=4096\nSYMBOL(init_uts_ns)=ffffffffb2a1e000\nSIZE(page)=64\n"
            + "OFFSET(page.flags)=0\nLENGTH(node_data)=1024\nNUMBER(phys_base)=-1234\nKERNELOFFSET=1e000000\nCRASHTIME=1700000000\n");
        Assert.Equal("6.1.0-50-amd64", info.OsRelease);
        Assert.Equal("00ff", info.BuildId);
        Assert.Equal(4096, info.PageSize);
        Assert.Equal(0xffffffffb2a1e000, info.Symbol("init_uts_ns"));
        Assert.Equal(64, info.Size("page"));
        Assert.Equal(0, info.Offset("page.flags"));
        Assert.Equal(1024, info.Length("node_data"));
        Assert.Equal(-1234, info.Number("phys_base"));
        Assert.Equal(0x1e000000ul, info.Hex("KERNELOFFSET"));
        Assert.Equal(1700000000, info.CrashTime);
        Assert.Equal(10, info.Count);
    }

    [Theory]
    [InlineData("18446744073709551615", -1L)]
    [InlineData("-9223372036854775808", long.MinValue)]
    [InlineData("0xffa0000000000000", unchecked((long)0xffa0000000000000))]
    [InlineData("0X10", 16L)]
    [InlineData("9223372036854775808", long.MinValue)]
    [InlineData("18446744073709551616", null)]
    [InlineData("", null)]
    [InlineData("12x", null)]
    [InlineData("0x", null)]
    [InlineData(" 1", null)]
    public void NumbersAreSignedUnsignedOrHexadecimal(string text, long? expected) =>
        Assert.Equal(expected, Parse($"NUMBER(n)={text}\n").Number("n"));

    [Theory]
    [InlineData("-1")]
    [InlineData("0x10")]
    [InlineData("99999999999")]
    [InlineData("67108865")]
    [InlineData("")]
    public void SizesThatAreNoneAreAbsent(string text)
    {
        VmcoreInfo info = Parse($"SIZE(a)={text}\nOFFSET(a)={text}\nLENGTH(a)={text}\n");
        Assert.Null(info.Size("a"));
        Assert.Null(info.Offset("a"));
        Assert.Null(info.Length("a"));
    }

    [Theory]
    [InlineData("4095")]
    [InlineData("6144")]
    [InlineData("2097152")]
    [InlineData("0")]
    [InlineData("-4096")]
    public void PageSizesThatAreNoneAreAbsent(string text) => Assert.Null(Parse($"PAGESIZE={text}").PageSize);

    [Theory]
    [InlineData("0")]
    [InlineData("zz")]
    [InlineData("1ffffffffffffffff")]
    public void SymbolsThatAreNoneAreAbsent(string text) => Assert.Null(Parse($"SYMBOL(s)={text}").Symbol("s"));

    [Fact]
    public void LinesMayBeOddAndTheFirstOfTwoCounts()
    {
        VmcoreInfo info = Parse("nothing\n=5\nA=1\nA=2\nB=x=y\r\n\n\nC=\0\0\0");
        Assert.Equal("1", info.Get("A"));
        Assert.Equal("x=y", info.Get("B"));
        Assert.Equal("", info.Get("C"));
        Assert.Null(info.Get(""));
        Assert.Null(info.Get("nothing"));
        Assert.Equal(3, info.Count);
        Assert.Equal((byte)'=', info.Text.Span[^1]);
    }

    [Fact]
    public void AnyBytesAreParsed() => Gen.Byte.Array[0, 400].Sample(bytes =>
    {
        VmcoreInfo info = VmcoreInfo.Parse(bytes);
        foreach (string key in info.Values.Keys)
            _ = (info.Number(key), info.Symbol(key), info.Hex(key), info.Size(key), info.PageSize, info.CrashTime);
    });

    private static VmcoreInfo Parse(string text) => VmcoreInfo.Parse(System.Text.Encoding.Latin1.GetBytes(text));
}
