using Vmcore.Testing;

namespace Vmcore.Cli.Tests;

/// <summary>Where things are in the repository that the tests were built from.</summary>
internal static class Repository
{
    internal static string Root => SourceTree.Root;

    internal static string Data { get; } = Path.Combine(Root, "tests", "data");

    internal static string Cache { get; } = Path.Combine(Root, ".cache");
}
