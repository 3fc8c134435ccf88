using Vmcore.Testing;

namespace Vmcore.Cli.Tests;

/// <summary>Where things are in the repository that the tests were built from.</summary>
internal static class Repository
{
    internal static string Root => SourceTree.Root;

    /// <summary>The native executable by the name that makes it a dumper; <c>./build</c> makes it.</summary>
    internal static string Makedumpfile { get; } = Path.Combine(Root, "artifacts", "bin", "makedumpfile");

    internal static string Data { get; } = Path.Combine(Root, "tests", "data");

    internal static string Cache { get; } = Path.Combine(Root, ".cache");
}
