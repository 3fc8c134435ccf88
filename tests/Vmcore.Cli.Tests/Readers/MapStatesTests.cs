using Vmcore.Cli.Reader.Map;
using Vmcore.Picture;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>What the map of pmem draws can be told apart, also by those who see some colours as one.</summary>
public sealed class MapStatesTests
{
    // Linear RGB of what is seen without long, middle or short cones, by G. M. Machado and others (2009), severity 1.
    private static readonly double[][] s_eyes =
    [
        [1, 0, 0, 0, 1, 0, 0, 0, 1],
        [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
        [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881],
        [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900],
    ];

    [Fact]
    public void EveryClassAndEveryMarkHasAName()
    {
        Assert.Equal(Enum.GetValues<PmemPictureClass>().Order(), MapStates.All.Select(s => s.Class).Order());
        Assert.Equal(Enum.GetValues<PmemPictureMark>().Order(), MapStates.Marks.Select(m => m.Mark).Order());
        Assert.Distinct(MapStates.All.Select(s => s.Name));
        Assert.DoesNotContain(MapStates.Marks.Select(m => m.Letter), l => l - 'a' < MapStates.All.Count);
    }

    /// <summary>Two uses with the same texture differ by colour for every eye, on light ground and on dark.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NothingIsToldByAColourThatSomeDoNotSee(bool isDark)
    {
        foreach (MapState one in MapStates.All)
        {
            foreach (MapState other in MapStates.All.Where(o => o.Texture == one.Texture && o.Class > one.Class))
            {
                Assert.All(s_eyes, eye =>
                {
                    double distance = Distance(Seen(isDark ? one.Dark : one.Light, eye), Seen(isDark ? other.Dark : other.Light, eye));
                    Assert.True(distance > 20, $"{one.Key} and {other.Key} differ by {distance:0.0}");
                });
            }
        }
    }

    // CIE 1976, D65.
    private static double[] Seen(int color, double[] eye)
    {
        double[] linear = [.. new[] { 16, 8, 0 }.Select(shift => Linear((color >> shift & 0xff) / 255.0))];
        double Of(double[] weights, int at) => (weights[at] * linear[0]) + (weights[at + 1] * linear[1]) + (weights[at + 2] * linear[2]);
        linear = [.. Enumerable.Range(0, 3).Select(i => Math.Clamp(Of(eye, 3 * i), 0, 1))];
        double x = Root(Of([0.4124, 0.3576, 0.1805], 0) / 0.9505), y = Root(Of([0.2126, 0.7152, 0.0722], 0)),
            z = Root(Of([0.0193, 0.1192, 0.9505], 0) / 1.089);
        return [(116 * y) - 16, 500 * (x - y), 200 * (y - z)];
    }

    private static double Linear(double value) => value <= 0.04045 ? value / 12.92 : Math.Pow((value + 0.055) / 1.055, 2.4);

    private static double Root(double value) => value > 0.008856 ? Math.Cbrt(value) : (7.787 * value) + (16.0 / 116);

    private static double Distance(double[] one, double[] other) => Math.Sqrt(one.Zip(other, (a, b) => (a - b) * (a - b)).Sum());
}
