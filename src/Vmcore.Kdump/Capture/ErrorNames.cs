using System.Globalization;
using System.Runtime.InteropServices;

namespace Vmcore.Kdump.Capture;

/// <summary>Error numbers of Linux that init tells apart (asm-generic/errno.h), and words for the others.</summary>
internal static class ErrorNames
{
    internal const int Exists = 17;
    internal const int NoDevice = 19;
    internal const int Busy = 16;
    internal const int TimedOut = 110;

    /// <summary>What an error number means.</summary>
    internal static string Of(int error) => error == TimedOut
        ? "it does not come back"
        : string.Create(CultureInfo.InvariantCulture, $"{Marshal.GetPInvokeErrorMessage(error)} (errno {error})");
}
