using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Vmcore.Hashing;
using Vmcore.Ranges;

namespace Vmcore.Kexec.Tests.Platforms.Arm64.Stub;

/// <summary>The stub is executed here, instruction by instruction, not only compared.</summary>
public sealed class Arm64StubTests
{
    private const ulong Kernel = 0x5020_0000, Tree = 0x5fee_0000, Address = 0x5fed_0000;
    private static readonly PhysicalRange Region = new(0x5000_0000, 0x6000_0000);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(119)]
    [InlineData(5000)]
    public void MachineCodeHashesLikeThePlatformDoes(int length)
    {
        byte[] bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        byte[] padded = new byte[(length + 9 + 63) & ~63];
        bytes.CopyTo(padded, 0);
        padded[length] = 0x80;
        BinaryPrimitives.WriteUInt64BigEndian(padded.AsSpan(padded.Length - 8), (ulong)length * 8);
        CrashStub stub = Arm64Stub.Build(Request(Address, [new(0x50000000, 0x50000040)], new uint[8]));
        var machine = new A64Machine(1);
        machine.Write(Address, stub.Code);
        machine.Write(0x1000, padded);
        for (int i = 0; i < 8; i++)
            machine.Write(0x800 + ((ulong)i * 4), BitConverter.GetBytes(Sha256.InitialState[i]));
        (machine.X[0], machine.X[1], machine.X[2], machine.X[3]) = (0x800, 0x1000, (ulong)padded.Length / 64, 0x900);
        machine.Run(Address + (ulong)stub.Sha256Offset);
        byte[] digest = new byte[32];
        for (int i = 0; i < 32; i++)
            digest[i] = machine[0x800 + (ulong)(i ^ 3)];
        Assert.Equal(SHA256.HashData(bytes), digest);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(2, true)]
    public void SoundMemoryEntersTheKernelAsTheBootProtocolSays(int level, bool twoHalves)
    {
        A64Machine machine = Load(new(level, twoHalves), out _);
        machine.Run(Address, Kernel);
        Assert.Equal(Kernel, machine.Pc);
        Assert.Equal([Tree, 0ul, 0ul, 0ul], machine.X[..4]);
        // It was hashed with MMU and caches on, and they are off again.
        Assert.True(machine.Translated > 10000);
        Assert.Equal(A64Machine.Control, machine[level == 2 ? SysReg.SctlrEl2 : SysReg.SctlrEl1]);
        Assert.Equal(level == 2 ? 2 : 0, machine.Log.Count(static i => i == A64System.TlbiAlle2));
        Assert.Equal(level == 1 ? 2 : 0, machine.Log.Count(static i => i == A64System.TlbiVmalle1));
        // All lines of the scratch memory go to RAM, 64 bytes each.
        Assert.Equal(4096 / 64, machine.Log.Count(static i => i == A64System.DcCivac));
        ulong control = machine[level == 2 ? SysReg.TcrEl2 : SysReg.TcrEl1];
        Assert.Equal(level == 2 && !twoHalves ? 0x8082_3510ul : 0x2_8090_3510ul, control);
        Assert.Equal(0xfful, machine[level == 2 ? SysReg.MairEl2 : SysReg.MairEl1]);
    }

    [Fact]
    public void ACpuWithoutPagesOf4KiBHashesWithCachesOff()
    {
        A64Machine machine = Load(new(1, model: 0xf0000000), out _);
        machine.Run(Address, Kernel);
        Assert.Equal(Kernel, machine.Pc);
        Assert.Equal(0, machine.Translated);
        Assert.Empty(machine.Log);
    }

    [Fact]
    public void AnyChangedByteIsReportedAndResetsTheMachine()
    {
        foreach (PsciConduit psci in (PsciConduit[])[PsciConduit.Hvc, PsciConduit.Smc, PsciConduit.None])
        {
            foreach (ulong at in (ulong[])[0x5020_0000, 0x5020_1fff, 0x5020_2fff, 0x5fff_f123])
            {
                A64Machine machine = Load(new(2), out _, psci);
                machine[at] ^= 0x10;
                machine.Run(Address, Kernel);
                Assert.NotEqual(Kernel, machine.Pc);
                Assert.False(machine.IsMmuOn);
                Assert.Contains("was changed after the load", Encoding.ASCII.GetString([.. machine.Serial]), StringComparison.Ordinal);
                Assert.Equal(psci switch { PsciConduit.Hvc => A64System.Hvc, PsciConduit.Smc => A64System.Smc, _ => A64System.Wfe }, machine.Log[^1]);
                if (psci != PsciConduit.None)
                    Assert.Equal(0x84000009ul, machine.X[0]);
            }
        }
    }

    [Fact]
    public void WhatIsNotHashedMayChange()
    {
        A64Machine machine = Load(new(1), out _);
        machine[0x5021_0000] ^= 1;
        machine.Run(Address, Kernel);
        Assert.Equal(Kernel, machine.Pc);
    }

    [Fact]
    public void WithoutChecksNothingIsVerified()
    {
        CrashStub stub = Arm64Stub.Build(Request(Address, [], new uint[8]));
        Assert.Equal((-1, -1), (stub.Sha256Offset, stub.VerifyOffset));
        Assert.True(stub.Code.Length < 64);
        var machine = new A64Machine(1);
        machine.Write(Address, stub.Code);
        machine.Run(Address, Kernel);
        Assert.Equal(Tree, machine.X[0]);
    }

    [Fact]
    public void TheSizeIsTheSameWhereverItLies()
    {
        PhysicalRange[] ranges = [new(0x7f_4000_0000, 0x7f_5000_0000), new(0x80_0000_0000, 0x80_0100_0000)];
        StubRequest request = Request(0x7f_4000_0000, ranges, new uint[8]) with { Region = new(0x7f_4000_0000, 0x80_4000_0000) };
        int size = Arm64Stub.Build(request).MemorySize;
        foreach (ulong address in (ulong[])[0x7f_bfff_0000, 0x7f_ffff_8000, 0x80_3fff_0000])
            Assert.Equal(size, Arm64Stub.Build(request with { Address = address }).MemorySize);
    }

    [Fact]
    public void OnlyTheRegionIsMapped()
    {
        // The region begins and ends within a block of 2 MiB.
        PhysicalRange region = new(0x5010_0000, 0x5fff_3000);
        PhysicalRange[] ranges = [new(0x5010_0000, 0x5010_1000), new(0x5ffe_0000, 0x5fff_3000)];
        StubRequest request = Request(0x5fe0_0000, ranges, new uint[8]) with { Region = region };
        byte[] tables = Arm64StubTables.Build(request, 0x2000, 0x10000);
        List<PhysicalRange> mapped = Mapped(tables, request.Address + 0x2000);
        Assert.All(mapped, m => Assert.True(m.Start >= region.Start && m.End <= region.End, $"{m}"));
        Assert.All([.. ranges, new(0x5fe0_0000, 0x5fe1_0000)], r => Assert.Contains(mapped, m => m.Start <= r.Start && m.End >= r.End));
    }

    [Fact]
    public void BeyondWhatFourLevelsReachCachesStayOffAndItIsSaid()
    {
        PhysicalRange[] ranges = [new(1UL << 48, (1UL << 48) + 0x1000)];
        CrashStub stub = Arm64Stub.Build(Request((1UL << 48) + 0x10000, ranges, new uint[8]) with { Region = new(1UL << 48, (1UL << 48) + 0x1000000) });
        Assert.Contains("caches off", stub.Note!, StringComparison.Ordinal);
        Assert.Null(Arm64Stub.Build(Request(Address, [new(Kernel, Kernel + 0x1000)], new uint[8])).Note);
    }

    private static List<PhysicalRange> Mapped(byte[] tables, ulong origin)
    {
        List<PhysicalRange> found = [];
        void Walk(ulong table, int shift, ulong address)
        {
            for (int i = 0; i < 512; i++)
            {
                ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(tables.AsSpan((int)(table - origin) + (i * 8)));
                ulong at = address | ((ulong)i << shift);
                if ((entry & 1) == 0)
                    continue;
                if (shift > 12 && (entry & 2) != 0)
                {
                    Walk(entry & ~0xfffUL, shift - 9, at);
                    continue;
                }

                Assert.Equal(at, entry & ~0xfffUL);
                if (found.Count > 0 && found[^1].End == at)
                    found[^1] = new(found[^1].Start, at + (1UL << shift));
                else
                    found.Add(new(at, at + (1UL << shift)));
            }
        }

        Walk(origin, 39, 0);
        return found;
    }

    // A kernel of 12 KiB whose last page is zeros, and 4 KiB of initramfs.
    private static A64Machine Load(A64Machine machine, out CrashStub stub, PsciConduit psci = PsciConduit.Hvc)
    {
        PhysicalRange[] ranges = [new(Kernel, Kernel + 0x3000), new(0x5fff_f000, 0x6000_0000)];
        var random = new Random(5);
        byte[] kernel = new byte[0x3000], initrd = new byte[0x1000];
        random.NextBytes(kernel.AsSpan(0, 0x2000));
        random.NextBytes(initrd);
        var hash = new Sha256();
        hash.Append(kernel);
        hash.Append(initrd);
        byte[] digest = hash.Finish();
        uint[] words = [.. Enumerable.Range(0, 8).Select(i => BinaryPrimitives.ReadUInt32BigEndian(digest.AsSpan(i * 4)))];
        StubRequest request = Request(Address, ranges, words);
        request = request with { System = request.System with { Firmware = new Arm64Firmware { Psci = psci } } };
        stub = Arm64Stub.Build(request);
        machine.Write(Kernel, kernel);
        machine.Write(0x5fff_f000, initrd);
        machine.Write(Address, stub.Code);
        return machine;
    }

    private static StubRequest Request(ulong address, IReadOnlyList<PhysicalRange> ranges, uint[] digest) => new(
        Layout.ElfCoreHeaderTests.Synthetic("40000000-7fffffff : System RAM\n") with { Machine = "aarch64", Firmware = new Arm64Firmware() },
        address, Kernel, Tree, ranges, digest, Region, new(StubConsoleKind.Pl011, 0x9000000));
}
