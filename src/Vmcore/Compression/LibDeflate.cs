using System.Runtime.InteropServices;

namespace Vmcore.Compression;

/// <summary>The functions of libdeflate that Vmcore uses.</summary>
internal static unsafe partial class LibDeflate
{
    private const string Library = "libdeflate";

    /// <summary>The stream was valid and gave exactly the bytes asked for (<c>LIBDEFLATE_SUCCESS</c>).</summary>
    public const int Success = 0;

    [LibraryImport(Library, EntryPoint = "libdeflate_alloc_compressor")]
    public static partial CompressorHandle AllocCompressor(int level);

    [LibraryImport(Library, EntryPoint = "libdeflate_free_compressor")]
    private static partial void FreeCompressor(nint compressor);

    /// <summary>Returns the stream's length in bytes, 0 if it does not fit.</summary>
    [LibraryImport(Library, EntryPoint = "libdeflate_zlib_compress")]
    public static partial nuint ZlibCompress(CompressorHandle compressor, byte* input, nuint inputLength, byte* output, nuint outputLength);

    /// <summary>Goes on with the check sum of a zlib stream; it starts at 1.</summary>
    [LibraryImport(Library, EntryPoint = "libdeflate_adler32")]
    public static partial uint Adler32(uint sum, byte* bytes, nuint length);

    [LibraryImport(Library, EntryPoint = "libdeflate_alloc_decompressor")]
    public static partial DecompressorHandle AllocDecompressor();

    [LibraryImport(Library, EntryPoint = "libdeflate_free_decompressor")]
    private static partial void FreeDecompressor(nint decompressor);

    /// <summary>With <paramref name="outputUsed"/> null it succeeds only if the output is filled exactly.</summary>
    [LibraryImport(Library, EntryPoint = "libdeflate_zlib_decompress_ex")]
    public static partial int ZlibDecompress(
        DecompressorHandle decompressor, byte* input, nuint inputLength, byte* output, nuint outputLength, nuint* inputUsed, nuint* outputUsed);

    /// <summary>Owns a <c>struct libdeflate_compressor</c>.</summary>
    internal sealed class CompressorHandle : SafeHandle
    {
        public CompressorHandle()
            : base(0, ownsHandle: true)
        {
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            FreeCompressor(handle);
            return true;
        }
    }

    /// <summary>Owns a <c>struct libdeflate_decompressor</c>.</summary>
    internal sealed class DecompressorHandle : SafeHandle
    {
        public DecompressorHandle()
            : base(0, ownsHandle: true)
        {
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            FreeDecompressor(handle);
            return true;
        }
    }
}
