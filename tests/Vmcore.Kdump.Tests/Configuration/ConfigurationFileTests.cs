using Vmcore.Kdump.Configuration;

namespace Vmcore.Kdump.Tests.Configuration;

public sealed class ConfigurationFileTests
{
    private const string File = "/etc/vmcore/kdump.conf";

    [Fact]
    public void NothingIsAllDefaults()
    {
        KdumpConfiguration configuration = ConfigurationFile.Parse("", File);
        Assert.Equal("/var/crash", Assert.Single(configuration.Targets).ToString());
        Assert.Equivalent(new KdumpConfiguration(), configuration);
        Assert.Equal(("31", "-l", 5), (configuration.Level, configuration.CodecOption, configuration.Keep));
        Assert.True(configuration.Report && configuration.Watchdog);
    }

    [Fact]
    public void EveryKeyIsTaken()
    {
        const string Text = """
            # a comment
            target = UUID=0a1b-2c3d /crash
              fallback=raw /dev/vdb1
            fallback = console
            keep = 3
            max-size = 20G
            level = 1,31
            codec = zstd
            time-limit = 10m
            stall-limit = 90
            device-wait = 2m
            final = poweroff
            delay = 0
            report = no
            watchdog = no
            modules = nvme xhci-pci
            append = swiotlb=noforce a=b#c
            kernel = /boot/vmlinuz-capture
            """;
        KdumpConfiguration c = ConfigurationFile.Parse(Text, File);
        Assert.Equal(["UUID=0a1b-2c3d /crash", "raw /dev/vdb1", "console"], [.. c.Targets.Select(static t => t.ToString())]);
        Assert.Equal((3, 20L << 30, "1,31", "-z"), (c.Keep, c.MaxSize, c.Level, c.CodecOption));
        Assert.Equal((600.0, 90.0, 120.0, 0.0), (c.TimeLimit.TotalSeconds, c.StallLimit.TotalSeconds, c.DeviceWait.TotalSeconds, c.Delay.TotalSeconds));
        Assert.Equal((FinalAction.PowerOff, false, false), (c.Final, c.Report, c.Watchdog));
        Assert.Equal(["nvme", "xhci-pci"], [.. c.Modules]);
        Assert.Equal(("swiotlb=noforce a=b#c", "/boot/vmlinuz-capture"), (c.Append, c.Kernel));
        Assert.All(ConfigurationKey.All, static k => Assert.Contains(k.Name, Text, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("colour = red", ":1: found the key 'colour', expected one of target, fallback,")]
    [InlineData("\n[kdump]", ":2: found '[kdump]', expected KEY = VALUE")]
    [InlineData("= 3", ":1: found '= 3', expected KEY = VALUE")]
    [InlineData("keep = 3\nkeep = 4", ":2: found 'keep' for the second time, expected it once: it stands in line 1 too")]
    [InlineData("keep = many", ":1: keep: found 'many', expected a number from 0 to 1000")]
    [InlineData("keep = -1", ":1: keep: found '-1', expected a number")]
    [InlineData("keep = 1001", ":1: keep: found '1001'")]
    [InlineData("level = 64", ":1: level: found '64', expected a dump level from 0 to 63")]
    [InlineData("level = ", ":1: level: found '', expected a dump level")]
    [InlineData("codec = lz4", ":1: codec: found 'lz4', expected lzo, zlib, snappy, zstd or none")]
    [InlineData("delay = 1d", ":1: delay: found '1d', expected a number of seconds")]
    [InlineData("delay =", ":1: delay: found '', expected a number of seconds")]
    [InlineData("delay = m", ":1: delay: found 'm'")]
    [InlineData("max-size = 9999999999T", ":1: max-size: found '9999999999T', expected a size")]
    [InlineData("report = true", ":1: report: found 'true', expected yes or no")]
    [InlineData("final = sleep", ":1: final: found 'sleep', expected reboot, poweroff or halt")]
    [InlineData("modules = a/b", ":1: modules: found 'a/b', expected names of kernel modules")]
    [InlineData("kernel = vmlinuz", ":1: kernel: found 'vmlinuz', expected an absolute path")]
    [InlineData("target = crash", ":1: target: found 'crash', expected /FOLDER, DEVICE [/FOLDER], raw DEVICE or console")]
    [InlineData("target = /var/../crash", ":1: target: found '/var/../crash'")]
    [InlineData("target = UUID=1 crash", ":1: target: found 'UUID=1 crash'")]
    [InlineData("target = raw", ":1: target: found 'raw'")]
    [InlineData("target = raw /var", ":1: target: found 'raw /var'")]
    [InlineData("target = a b c", ":1: target: found 'a b c'")]
    public void WhatIsWrongIsNamed(string text, string expected)
    {
        KdumpException error = Assert.Throws<KdumpException>(() => ConfigurationFile.Parse(text, File));
        Assert.StartsWith(File + expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nfs server:/export")]
    [InlineData("server:/export")]
    [InlineData("root@host:/var/crash")]
    [InlineData("ssh root@host")]
    [InlineData("https://host/upload")]
    [InlineData("s3://bucket")]
    public void RemoteTargetsAreRefusedByName(string target)
    {
        KdumpException error = Assert.Throws<KdumpException>(() => ConfigurationFile.Parse($"fallback = {target}", File));
        Assert.Contains("dumps over a network are not made by this version", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FallbacksAreBounded() =>
        Assert.Contains("at most 8", Assert.Throws<KdumpException>(() => ConfigurationFile.Parse(
            string.Concat(Enumerable.Repeat("fallback = console\n", 9)), File)).Message, StringComparison.Ordinal);

    /// <summary>What the template shows as default is one: with every comment sign before a key taken away, it says what an empty file says.</summary>
    [Fact]
    public void TheTemplateHasTheDefaults()
    {
        string template = ConfigurationFile.Template();
        Assert.Equivalent(new KdumpConfiguration(), ConfigurationFile.Parse(template, File));
        string[] keys = [.. template.Split('\n').Where(static l => l.StartsWith('#') && !l.StartsWith("# ", StringComparison.Ordinal))
            .Select(static l => l[1..])];
        Assert.Equal(ConfigurationKey.All.Count, keys.Length);
        KdumpConfiguration said = ConfigurationFile.Parse(string.Join('\n', keys.Where(static k => !k.StartsWith("fallback", StringComparison.Ordinal))), File);
        Assert.Equivalent(new KdumpConfiguration() with { Target = said.Target }, said);
        Assert.Equal("/var/crash", said.Targets[0].ToString());
        Assert.All(template.Split('\n'), static l => Assert.True(l.Length <= 110, l));
    }

    [Fact]
    public void EveryKeyIsInTheManual()
    {
        string manual = System.IO.File.ReadAllText(Path.Combine(Vmcore.Testing.SourceTree.Root, "packaging", "man", "vmcore-kdump.8"));
        string document = System.IO.File.ReadAllText(Path.Combine(Vmcore.Testing.SourceTree.Root, "docs", "kdump.md"));
        foreach (ConfigurationKey key in ConfigurationKey.All)
        {
            Assert.Contains($".It Cm {key.Name.Replace("-", "\\-", StringComparison.Ordinal)}", manual, StringComparison.Ordinal);
            Assert.Contains($"| `{key.Name}` |", document, StringComparison.Ordinal);
        }
    }
}
