using Vmcore.Compression;

namespace Vmcore.Dumping;

/// <summary>What a thread needs for itself; each part is made when it is first asked for.</summary>
internal sealed class WorkerTools : IDisposable
{
    private readonly DumpPlan _plan;
    private WindowClassifier? _classifier;
    private IPageCompressor? _compressor;

    internal WorkerTools(DumpPlan plan) => _plan = plan;

    /// <summary>The thread's classifier.</summary>
    internal WindowClassifier Classifier => _classifier ??= _plan.CreateClassifier();

    /// <summary>The thread's compressor; null if pages are stored as they are.</summary>
    internal IPageCompressor? Compressor => _plan.Options.IsCompressing
        ? _compressor ??= PageCodecs.CreateCompressor(_plan.Options.Codec)
        : null;

    /// <inheritdoc/>
    public void Dispose() => _compressor?.Dispose();
}
