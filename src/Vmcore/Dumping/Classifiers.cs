using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Decides for every page whether it stays: pmem first and by range, then the rest page by page. A window can be asked for at any time and in any
/// order, so nothing needs to be held for all of a large machine.
/// </summary>
internal sealed class Classifiers
{
    private readonly DumpRequest _request;
    private readonly Lazy<PfnRangeSet> _unusedMemmap;

    /// <summary>Creates it; nothing is read yet.</summary>
    /// <param name="request">What is dumped.</param>
    internal Classifiers(DumpRequest request)
    {
        _request = request;
        _unusedMemmap = new(() => request.Options.ExcludeUnusedMemmap ? UnusedMemmap.Find(request) : PfnRangeSet.Empty);
    }

    /// <summary>Creates what one thread needs to classify windows.</summary>
    /// <exception cref="MissingInformationException">Unused memmap is to go, and the memmap cannot be read.</exception>
    internal WindowClassifier Create() => new(_request, _unusedMemmap.Value);
}
