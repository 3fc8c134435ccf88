using Vmcore.Ranges;

namespace Vmcore.Pmem.Usage;

/// <summary>
/// Is told where the pages are that <see cref="DaxPageCounts"/> counts, each once, while the struct pages are read. What the files' page trees correct
/// afterwards (pages that only look shared, files of pages whose structures are lost) it has to take from what was collected.
/// </summary>
internal interface IUsageVisitor
{
    /// <summary>The pages of a namespace follow.</summary>
    /// <param name="usage">The namespace; its counts are not there yet.</param>
    void Begin(NamespaceUsage usage);

    /// <summary>Pages in one state.</summary>
    /// <param name="pages">The pages.</param>
    /// <param name="page">What the structure of the first says.</param>
    void TakePages(PfnRange pages, DaxPage page);

    /// <summary>Pages of which no structure can be read.</summary>
    /// <param name="pages">The pages.</param>
    /// <param name="isUnreadable">True if it is not in the dump, or not of the crash; false if the kernel had none.</param>
    void TakeWithout(PfnRange pages, bool isUnreadable);
}
