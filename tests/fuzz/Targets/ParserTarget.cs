namespace Vmcore.Fuzz.Targets;

/// <summary>A parser that takes bytes: mutations of its corpus, one chosen for each input.</summary>
/// <param name="name">The target's name; its corpus is the folder of that name, if there is one.</param>
/// <param name="take">Takes an input.</param>
/// <param name="seeds">Sound inputs, besides the corpus.</param>
/// <param name="head">Bytes at the start that are headers.</param>
/// <param name="shortInputs">Inputs of the short run.</param>
internal sealed class ParserTarget(
    string name, Action<byte[], Mutator> take, Func<IEnumerable<byte[]>> seeds, int head = 0, int shortInputs = 2000) : FuzzTarget
{
    private readonly List<byte[]> _seeds = [];

    /// <inheritdoc/>
    internal override string Name => name;

    /// <inheritdoc/>
    internal override int ShortInputs => shortInputs;

    /// <inheritdoc/>
    internal override void Prepare()
    {
        _seeds.AddRange(seeds());
        string corpus = Path.Combine(Testing.SourceTree.Root, "tests", "fuzz", "corpus", name);
        if (Directory.Exists(corpus))
            _seeds.AddRange(Directory.GetFiles(corpus).Order(StringComparer.Ordinal).Select(File.ReadAllBytes));
    }

    /// <inheritdoc/>
    internal override void Run(Mutator mutator)
    {
        byte[] seed = _seeds[mutator.Random.Next(_seeds.Count)];
        take(mutator.Damage(seed, head), mutator);
    }
}
