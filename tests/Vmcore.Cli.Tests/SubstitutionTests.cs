using System.Collections;
using System.CommandLine;
using System.Reflection;
using System.Xml.Linq;
using Vmcore.Testing;

namespace Vmcore.Cli.Tests;

/// <summary>What <c>src/Vmcore.Cli/unneeded.xml</c> takes out of the executable is there, and is what it says it is.</summary>
public sealed class SubstitutionTests
{
    private static readonly XElement s_unneeded = XElement.Load(Path.Combine(SourceTree.Root, "src", "Vmcore.Cli", "unneeded.xml"));

    /// <summary>The lambdas have names by number, which another version of System.CommandLine may give to the converters that options need.</summary>
    [Fact]
    public void ConvertersThatAreLeftOutAreThoseOfTypesWithoutOptions()
    {
        Type converter = typeof(Option).Assembly.GetType("System.CommandLine.Binding.ArgumentConverter", throwOnError: true)!;
        PropertyInfo table = converter.GetProperty("StringConverters", BindingFlags.NonPublic | BindingFlags.Static)!;
        var left = new List<string>();
        foreach (DictionaryEntry entry in (IDictionary)table.GetValue(null)!)
        {
            if (Signatures("System.CommandLine").Any(s => s.Contains($" {((Delegate)entry.Value!).Method.Name}(", StringComparison.Ordinal)))
                left.Add(((Type)entry.Key).Name);
        }

        string[] expected = ["DateOnly", "DateTime", "DateTimeOffset", "Decimal", "Double", "Guid", "Single", "TimeOnly", "TimeSpan"];
        Assert.Equal(expected, left.Order(StringComparer.Ordinal));
        Assert.Equal(left.Count, Signatures("System.CommandLine").Length);
    }

    [Fact]
    public void WhatIsLeftOutOfTheRuntimeExists()
    {
        string signature = Assert.Single(Signatures("System.Private.CoreLib"));
        Assert.Contains(typeof(Enum).GetMethods(), m => m.Name == nameof(Enum.TryParse)
            && $"System.Boolean TryParse({string.Join(',', m.GetParameters().Select(static p => p.ParameterType.FullName))})" == signature);
    }

    private static string[] Signatures(string assembly) =>
        [.. s_unneeded.Elements("assembly").Single(a => (string?)a.Attribute("fullname") == assembly)
            .Descendants("method").Select(static m => (string)m.Attribute("signature")!)];
}
