using Vmcore.Kdump.Modules;

namespace Vmcore.Kdump.Tests.Modules;

public sealed class ModulePatternTests
{
    [Theory]
    [InlineData("virtio:d00000002v*", "virtio:d00000002v00001AF4", true)]
    [InlineData("virtio:d00000001v*", "virtio:d00000002v00001AF4", false)]
    [InlineData("pci:v00001AF4d*sv*sd*bc*sc*i*", "pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00", true)]
    [InlineData("pci:v*d*sv*sd*bc01sc08i02*", "pci:v00008086d0000F1A5sv0sd0bc01sc08i02", true)]
    [InlineData("pci:v*d*sv*sd*bc01sc08i02*", "pci:v00008086d0000F1A5sv0sd0bc01sc06i01", false)]
    [InlineData("scsi:t-0x0[07e]", "scsi:t-0x07", true)]
    [InlineData("scsi:t-0x0[07e]", "scsi:t-0x05", false)]
    [InlineData("usb:v*p*d*dc*dsc*dp*ic08isc0[1-6]ip50in*", "usb:v1p2d3dc0dsc0dp0ic08isc04ip50in00", true)]
    [InlineData("a?c", "abc", true)]
    [InlineData("a?c", "ac", false)]
    [InlineData("*", "", true)]
    [InlineData("", "a", false)]
    [InlineData("a*b*c", "a-b-b-c-c", true)]
    [InlineData("a[b", "a[b", true)]
    public void FitsAsFnmatchSays(string pattern, string text, bool expected) => Assert.Equal(expected, ModulePattern.Matches(pattern, text));
}
