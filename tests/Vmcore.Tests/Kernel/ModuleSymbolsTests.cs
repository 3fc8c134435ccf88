using Vmcore.Kernel.Symbols;

namespace Vmcore.Tests.Kernel;

/// <summary>Symbols of the modules of real kernels. Run where VMCORE_FIXTURES names a folder with NAME.vmcore.</summary>
public sealed class ModuleSymbolsTests
{
    /// <summary>Lockdep's keys take no room where it is off: a lock at the same address has its own name.</summary>
    [Theory]
    [InlineData("stock-6.12")]
    public void SymbolsWithoutSizeDoNotHideOthers(string name)
    {
        string? folder = Environment.GetEnvironmentVariable("VMCORE_FIXTURES");
        string path = Path.Combine(folder ?? "", name + ".vmcore");
        Assert.SkipUnless(folder is not null && File.Exists(path), "VMCORE_FIXTURES names no folder with it");
        using CrashDump dump = CrashDump.Open(path);
        KernelSymbols symbols = dump.KernelView.Symbols!;
        var shared = symbols.AllWithModules().Where(s => s.Module is not null).GroupBy(s => s.Address)
            .Where(g => g.Any(s => IsKey(s)) && !g.All(s => IsKey(s))).ToList();
        Assert.NotEmpty(shared);
        Assert.All(shared, group =>
        {
            Assert.True(symbols.TryResolve(group.Key, out KernelSymbol found, out ulong offset));
            Assert.Equal((false, 0UL), (IsKey(found), offset));
        });
    }

    private static bool IsKey(KernelSymbol symbol) => symbol.Name == "__key" || symbol.Name.StartsWith("__key.", StringComparison.Ordinal);
}
