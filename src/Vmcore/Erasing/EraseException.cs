namespace Vmcore.Erasing;

/// <summary>A rule cannot be applied to this dump. Never leaves the room: it becomes a failure that the caller is told of.</summary>
internal sealed class EraseException(string message) : Exception(message);
