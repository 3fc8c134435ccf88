using System.Buffers.Binary;
using System.Security.Cryptography;
using CsCheck;

namespace Vmcore.Kexec.Tests.Stub;

public sealed class Sha256Tests
{
    [Fact]
    public void Whole_blocks_with_zeros_behind_hash_like_the_platform_does() =>
        Gen.Select(Gen.Byte.Array[0, 3000], Gen.Int[0, 3000]).Sample((bytes, zeros) =>
        {
            int total = (bytes.Length + zeros + 63) & ~63;
            var hash = new Sha256();
            hash.Append(bytes, (ulong)(total - bytes.Length));
            hash.Append(bytes.AsSpan(0, bytes.Length & ~63), 0);
            byte[] whole = new byte[total + (bytes.Length & ~63)];
            bytes.CopyTo(whole, 0);
            bytes.AsSpan(0, bytes.Length & ~63).CopyTo(whole.AsSpan(total));
            byte[] digest = new byte[32];
            uint[] words = hash.Finish();
            for (int i = 0; i < 8; i++)
                BinaryPrimitives.WriteUInt32BigEndian(digest.AsSpan(i * 4), words[i]);
            Assert.Equal(SHA256.HashData(whole), digest);
        });

    [Fact]
    public void A_partial_block_is_refused() => Assert.Throws<ArgumentException>(() => new Sha256().Append([1], 0));

    [Fact]
    public void Constants_are_those_of_the_standard()
    {
        Assert.Equal(0x6a09e667u, Sha256.InitialState[0]);
        Assert.Equal(0x5be0cd19u, Sha256.InitialState[7]);
        Assert.Equal(0x428a2f98u, Sha256.RoundConstants[0]);
        Assert.Equal(0xc67178f2u, Sha256.RoundConstants[63]);
    }
}
