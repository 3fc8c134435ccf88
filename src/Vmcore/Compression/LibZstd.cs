using System.Runtime.InteropServices;

namespace Vmcore.Compression;

/// <summary>The functions of libzstd that Vmcore uses.</summary>
internal static unsafe partial class LibZstd
{
    private const string Library = "libzstd";

    [LibraryImport(Library, EntryPoint = "ZSTD_createCCtx")]
    public static partial CompressionContext CreateCompressionContext();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeCCtx")]
    private static partial nuint FreeCompressionContext(nint context);

    /// <summary>Returns the frame's length in bytes or an error code.</summary>
    [LibraryImport(Library, EntryPoint = "ZSTD_compressCCtx")]
    public static partial nuint Compress(
        CompressionContext context, byte* output, nuint outputLength, byte* input, nuint inputLength, int level);

    [LibraryImport(Library, EntryPoint = "ZSTD_createDCtx")]
    public static partial DecompressionContext CreateDecompressionContext();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeDCtx")]
    private static partial nuint FreeDecompressionContext(nint context);

    /// <summary>Decompresses all frames of the input; returns the bytes written or an error code.</summary>
    [LibraryImport(Library, EntryPoint = "ZSTD_decompressDCtx")]
    public static partial nuint Decompress(
        DecompressionContext context, byte* output, nuint outputLength, byte* input, nuint inputLength);

    /// <summary>Length of the input's first frame in bytes, or an error code.</summary>
    [LibraryImport(Library, EntryPoint = "ZSTD_findFrameCompressedSize")]
    public static partial nuint FindFrameCompressedSize(byte* input, nuint inputLength);

    /// <summary>1 if a result is an error code.</summary>
    [LibraryImport(Library, EntryPoint = "ZSTD_isError")]
    [SuppressGCTransition]
    public static partial uint IsError(nuint result);

    /// <summary>Owns a <c>ZSTD_CCtx</c>.</summary>
    internal sealed class CompressionContext : SafeHandle
    {
        public CompressionContext()
            : base(0, ownsHandle: true)
        {
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle() => FreeCompressionContext(handle) == 0;
    }

    /// <summary>Owns a <c>ZSTD_DCtx</c>.</summary>
    internal sealed class DecompressionContext : SafeHandle
    {
        public DecompressionContext()
            : base(0, ownsHandle: true)
        {
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle() => FreeDecompressionContext(handle) == 0;
    }
}
