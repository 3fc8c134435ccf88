using CsCheck;
using Vmcore.Erasing;
using Vmcore.Ranges;

namespace Vmcore.Tests.Erasing;

public class EraseConfigTests
{
    [Fact]
    public void CommandsOfEveryKindAreUnderstood()
    {
        EraseConfig config = EraseConfig.Parse("rules", """
            erase a # the kernel's
            [vmlinux]
            erase b.c.d size 2K
            [my-module]
              erase e size f.g
              erase h nullify
              erase ( struct foo * ) i.j size 0x10
              for x in k.next within s:t.u
                erase x
                erase x.v size x.w
              endfor
              for y in l via next
                erase y.m
              endfor
              for z in n
                erase z size 1m
              endfor
            [empty]
            """);
        Assert.Equal(["vmlinux", "vmlinux", "my-module"], config.Sections.Select(s => s.Module));
        var sized = (EraseRule)config.Sections[1].Commands[0];
        Assert.Equal((2048L, 3), (sized.Size, sized.Line));
        Assert.Equal(["c", "d"], sized.Target.Members);
        IReadOnlyList<EraseCommand> commands = config.Sections[2].Commands;
        Assert.Equal("f.g", ((EraseRule)commands[0]).SizeFrom!.Text);
        Assert.True(((EraseRule)commands[1]).Nullify);
        EraseExpression cast = ((EraseRule)commands[2]).Target;
        Assert.Equal(("struct foo *", "i"), (cast.Cast, cast.Symbol));
        Assert.Equal(16, ((EraseRule)commands[2]).Size);
        var loop = (EraseLoop)commands[3];
        Assert.Equal(("x", "s", "t.u", 2), (loop.Variable, loop.WithinStruct, loop.WithinMember, loop.Rules.Count));
        Assert.Equal("next", ((EraseLoop)commands[4]).Via);
        Assert.Equal(1 << 20, ((EraseLoop)commands[5]).Rules[0].Size);
    }

    [Fact]
    public void AnyTextIsRulesOrAnErrorThatNamesTheLine()
    {
        string[] vocabulary = ["erase", "for", "endfor", "in", "via", "within", "size", "nullify", "[a]",
            "[", "(", ")", "*", "a.b", "a..b", "s:t", "1K", "#", "x", "\n", "\n", "\t", "\0", "ä"];
        Gen<string> word = Gen.Int[0, vocabulary.Length - 1].Select(i => vocabulary[i]);
        word.Array[0, 30].Sample(
            words =>
            {
                try
                {
                    EraseConfig.Parse("rules", string.Join(' ', words));
                }
                catch (DumpFormatException e)
                {
                    Assert.Contains("line ", e.Message, StringComparison.Ordinal);
                }
            },
            iter: 20_000);
    }

    [Fact]
    public void RangesOverwriteExactlyWhatTheyCover()
    {
        Gen.Select(Gen.Int[0, 250], Gen.Int[1, 60], Gen.Bool).Array[0, 12].Select(Gen.Int[0, 200], Gen.Int[0, 100]).Sample((ranges, start, length) =>
        {
            var data = new ErasedData();
            byte[] expected = new byte[400], actual = new byte[length];
            expected.AsSpan().Fill(1);
            actual.AsSpan().Fill(1);
            foreach ((int at, int size, bool nullify) in ranges)
                data.Add(new PhysicalRange((ulong)at, (ulong)(at + size)), nullify);
            foreach ((int at, int size, bool nullify) in ranges.OrderBy(r => r.Item3))
                expected.AsSpan(at, size).Fill(nullify ? (byte)0 : ErasedData.Filler);
            data.Sort();
            data.Apply((ulong)start, actual);
            Assert.Equal(expected[start..(start + length)], actual);
        });
    }
}
