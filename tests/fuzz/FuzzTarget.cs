namespace Vmcore.Fuzz;

/// <summary>Something that takes input of others: a parser, a walk, a command.</summary>
internal abstract class FuzzTarget
{
    /// <summary>Its name on the command line.</summary>
    internal abstract string Name { get; }

    /// <summary>Inputs of the short run.</summary>
    internal virtual int ShortInputs => 2000;

    /// <summary>Why it cannot run here; null if it can.</summary>
    internal virtual string? Missing => null;

    /// <summary>Reads what is mutated. Called once, before the first input.</summary>
    internal virtual void Prepare()
    {
    }

    /// <summary>Makes one input and lets it be taken. A <see cref="VmcoreException"/> with a sentence is an answer; any other is a fault.</summary>
    /// <param name="mutator">Chance, by the input's seed.</param>
    internal abstract void Run(Mutator mutator);
}

/// <summary>What was found to be wrong, by a target itself.</summary>
internal sealed class FuzzException(string message) : Exception(message);
