using Vmcore.Testing;

namespace Vmcore.Cli.Tests.Robustness;

/// <summary>A vmcore of 100 MiB that does not compress well, so that a dump of it takes a while.</summary>
public sealed class SampleCore : IDisposable
{
    private readonly Shell _shell = new();

    public SampleCore()
    {
        const ulong MiB = 1 << 20;
        var machine = new SyntheticMachine(new() { Era = KernelEra.V6_1 });
        machine.AddRam(MiB, 99 * MiB).PlaceMany(0x2000, 0x1000, PageKind.KernelData).PlaceMany(0x3000, 0x2000, PageKind.Anonymous);
        machine.AddPmem(4096 * MiB, 16 * MiB).AddNamespace(0, 12 * MiB);
        machine.WriteSparse(Path);
        machine.WriteSparse(BarePath, new() { Vmcoreinfo = false });
    }

    /// <summary>The vmcore.</summary>
    public string Path => _shell.PathOf("vmcore");

    /// <summary>The same without vmcoreinfo.</summary>
    public string BarePath => _shell.PathOf("bare");

    public void Dispose() => _shell.Dispose();
}
