using Vmcore.Compression;

namespace Vmcore.Dumping;

/// <summary>What a thread needs for itself; each part is made when it is first asked for.</summary>
internal sealed class WorkerTools : IDisposable
{
    private readonly Classifiers _classifiers;
    private readonly PageCodec _codec;
    private WindowClassifier? _classifier;
    private IPageCompressor? _compressor;

    /// <summary>Creates the tools of one thread.</summary>
    /// <param name="classifiers">Makes its classifier.</param>
    /// <param name="codec">How it compresses; <see cref="PageCodec.None"/> to store pages as they are.</param>
    internal WorkerTools(Classifiers classifiers, PageCodec codec)
    {
        _classifiers = classifiers;
        _codec = codec;
    }

    /// <summary>The thread's classifier.</summary>
    internal WindowClassifier Classifier => _classifier ??= _classifiers.Create();

    /// <summary>The thread's compressor; null if pages are stored as they are.</summary>
    internal IPageCompressor? Compressor => _codec == PageCodec.None ? null : _compressor ??= PageCodecs.CreateCompressor(_codec);

    /// <inheritdoc/>
    public void Dispose() => _compressor?.Dispose();
}
