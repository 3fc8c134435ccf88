using CsCheck;
using Vmcore.Hashing;

namespace Vmcore.Tests.Hashing;

public sealed class Sha256Tests
{
    [Fact]
    public void EveryShortLengthIsThatOfTheRuntime()
    {
        byte[] bytes = new byte[300];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)((i * 37) ^ (i >> 3));
        for (int length = 0; length <= bytes.Length; length++)
            Assert.Equal(System.Security.Cryptography.SHA256.HashData(bytes.AsSpan(0, length)), Sha256.Hash(bytes.AsSpan(0, length)));
    }

    [Fact]
    public void AnySplitGivesTheSameHash() =>
        Gen.Byte.Array[0, 200].List[0, 12].Sample(parts =>
        {
            var hash = new Sha256();
            foreach (byte[] part in parts)
                hash.Append(part);
            byte[] once = hash.Finish();
            // The object starts anew after the end.
            hash.Append("abc"u8);
            return once.AsSpan().SequenceEqual(System.Security.Cryptography.SHA256.HashData(parts.SelectMany(p => p).ToArray()))
                && Convert.ToHexStringLower(hash.Finish()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        });

    [Fact]
    public void LargeInputIsThatOfTheRuntime()
    {
        byte[] bytes = new byte[(1 << 20) + 77];
        new Random(5).NextBytes(bytes);
        Assert.Equal(System.Security.Cryptography.SHA256.HashData(bytes), Sha256.Hash(bytes));
    }
}
