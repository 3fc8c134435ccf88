using CsCheck;
using Vmcore.Verification;

namespace Vmcore.Tests.Verification;

public sealed class FileExtentsTests
{
    /// <summary>Whatever the order, a part is refused if and only if a byte of it was taken before.</summary>
    [Fact]
    public void OverlapsAreFoundInAnyOrder() =>
        Gen.Select(Gen.Int[0, 200], Gen.Int[1, 20]).Array[0, 60].Sample(parts =>
        {
            var extents = new FileExtents();
            bool[] taken = new bool[256];
            foreach ((int start, int length) in parts)
            {
                bool free = !taken.AsSpan(start, length).Contains(true);
                Assert.Equal(free, extents.TryTake(start, length));
                if (free)
                    taken.AsSpan(start, length).Fill(true);
            }

            Assert.True(extents.IsComplete);
        });
}
