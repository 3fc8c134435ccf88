namespace Vmcore.Dumping;

/// <summary>
/// Gives the pages of a window that stay: as the plan remembers them, or decided again. One window at a time; for one thread.
/// </summary>
internal sealed class KeptWindows
{
    private readonly DumpPlan _plan;
    private readonly Classifiers _classifiers;
    private readonly ZeroPageFilter? _zero;
    private readonly PlanWindow _window = new();
    private WindowClassifier? _classifier;
    private ulong _loaded = ulong.MaxValue;

    /// <summary>Creates it.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="classifiers">Decide again.</param>
    /// <param name="zero">Takes the pages of zero out, as the plan's pass did; null if it did not.</param>
    internal KeptWindows(DumpPlan plan, Classifiers classifiers, ZeroPageFilter? zero)
    {
        _plan = plan;
        _classifiers = classifiers;
        _zero = zero;
    }

    /// <summary>Gives the pages of a window that stay, one bit a page.</summary>
    /// <param name="number">The window's number.</param>
    /// <returns>Good until the next call; not to be changed.</returns>
    internal ulong[] Of(ulong number)
    {
        if (_loaded == number)
            return _window.Kept;
        if (!_plan.Cache.TryGet(number, _window.Kept))
        {
            _classifier ??= _classifiers.Create();
            _classifier.Classify(number, _window);
            _zero?.Clear(_window);
        }

        _loaded = number;
        return _window.Kept;
    }
}
