using Vmcore.Findings;
using Vmcore.Kernel.Locks;

namespace Vmcore.Tests.Kernel.Locks;

/// <summary>Who waits for whom, by waiters on stacks; and nothing of what only looks like one.</summary>
public sealed class LockWaitsTests
{
    private const ulong First = 0xffff_8880_1000_0000, Second = 0xffff_8880_1000_0100, List = 16, Waiters = 1;

    [Fact]
    public void TasksThatWaitForEachOtherAreACircle()
    {
        LockImage image = Deadlock(out ulong a, out ulong b);
        ulong c = image.Add("__mutex_lock.constprop.0");
        image.Wait(First + List, b, c);
        LockWaits waits = image.Read();
        Assert.Empty(waits.Problems);
        Assert.Equal([(First, a, "101 102"), (Second, b, "100")],
            waits.Locks.Select(static l => (l.Address, l.Owner!.Address, string.Join(' ', l.Waits.Select(static w => w.Task.Pid)))));
        Assert.All(waits.Locks, static l => Assert.Equal(LockKind.Mutex, l.Kind));
        Assert.Equal([100, 101], Assert.Single(waits.Cycles).Select(static w => w.Task.Pid));
        LockWait last = waits.Locks[0].Waits[1];
        Assert.Equal((c, LockImage.WaiterOf(c)), (last.Task.Address, last.Waiter));
        Assert.Equal([102, 100, 101], waits.ChainOf(last.Task).Select(static w => w.Task.Pid));
    }

    [Fact]
    public void ATaskThatWaitsForWhatItHoldsIsACircleOfOne()
    {
        var image = new LockImage();
        ulong a = image.Add("__mutex_lock");
        image.Memory.Put(First, a | Waiters);
        image.Wait(First + List, a);
        Assert.Equal(a, Assert.Single(Assert.Single(image.Read().Cycles)).Lock.Owner!.Address);
    }

    /// <summary>A chain without a circle ends at the owner who waits for nothing.</summary>
    [Fact]
    public void AChainEndsAtWhoWaitsForNothing()
    {
        var image = new LockImage();
        ulong a = image.Add("__mutex_lock"), owner = image.Add("msleep");
        image.Memory.Put(First, owner | Waiters);
        image.Wait(First + List, a);
        LockWaits waits = image.Read();
        Assert.Empty(waits.Cycles);
        Assert.Equal(owner, Assert.Single(waits.ChainOf(waits.Locks[0].Waits[0].Task)).Lock.Owner!.Address);
        Assert.Null(waits.Of(waits.Locks[0].Owner!));
    }

    /// <summary>Held for writing the owner is a task; held for reading only how many there are is known, whatever the owner says.</summary>
    [Theory]
    [InlineData(3, 0, 103, null)]
    [InlineData(3, 1, null, null)]
    [InlineData(0x202, 3, null, 2)]
    [InlineData(0x202, 0, null, 2)]
    public void OfAReadWriteSemaphoreReadersHaveNoNames(int count, int flags, int? owner, int? readers)
    {
        var image = new LockImage();
        ulong writer = image.Add("rwsem_down_write_slowpath"), reader = image.Add("rwsem_down_read_slowpath"), other = image.Add("rwsem_down_read_slowpath");
        ulong holder = image.Add("msleep");
        image.Memory.Put(First, (ulong)count).Put(First + 8, holder + (ulong)flags);
        image.Wait(First + 24, writer, reader, other);
        image.Memory.Put(LockImage.WaiterOf(reader) + 24, 1, 4).Put(LockImage.WaiterOf(other) + 24, 1, 4);
        LockWaits waits = image.Read();
        Assert.Empty(waits.Problems);
        KernelLock found = Assert.Single(waits.Locks);
        Assert.Equal((LockKind.ReadWriteSemaphore, First, owner, (ulong?)readers), (found.Kind, found.Address, found.Owner?.Pid, found.Readers));
        Assert.Equal([LockMode.Exclusive, LockMode.Read, LockMode.Read], found.Waits.Select(static w => w.Mode));
    }

    [Theory]
    [InlineData(0, 1, 0)]
    [InlineData(1, 0, 1)]
    public void ASemaphoreHasWaitersIfNothingOfItIsLeft(int count, int locks, int problems)
    {
        var image = new LockImage();
        ulong a = image.Add("__down_common"), b = image.Add("___down_common");
        image.Memory.Put(First + 4, (ulong)count, 4);
        image.Wait(First + 8, a, b);
        LockWaits waits = image.Read();
        Assert.Equal(locks, waits.Locks.Count);
        Assert.Equal(2 * problems, waits.Problems.Count);
        Assert.All(waits.Locks, static l => Assert.Equal((LockKind.Semaphore, First, 2), (l.Kind, l.Address, l.Waits.Count)));
    }

    [Fact]
    public void ACompletionIsFoundByWhoWaitsForIt()
    {
        var image = new LockImage();
        ulong a = image.Add("__wait_for_common");
        image.Memory.Put(First, 0).Put(LockImage.WaiterOf(a), a).Link(First + 16, LockImage.WaiterOf(a) + 8);
        KernelLock found = Assert.Single(image.Read().Locks);
        Assert.Equal((LockKind.Completion, First, null), (found.Kind, found.Address, found.Owner));
    }

    /// <summary>Others in a wait queue need not be tasks: epoll has none. The head is what has no function.</summary>
    [Fact]
    public void AWaitQueueMayHaveWaitersThatAreNoTasks()
    {
        var image = new LockImage();
        ulong a = image.Add("some_driver_wait"), waiter = LockImage.WaiterOf(a);
        image.Memory.Put(First, 0).Put(waiter + 8, a).Put(waiter + 16, LockImage.Code + 0x100).Put(Second + 8, 0).Put(Second + 16, LockImage.Code + 0x200)
            .Link(First + 8, Second + 24, waiter + 24);
        KernelLock found = Assert.Single(image.Read().Locks);
        Assert.Equal((LockKind.WaitQueue, First, a), (found.Kind, found.Address, Assert.Single(found.Waits).Task.Address));

        // With two of them that are no waiters nobody knows which is the head.
        image.Memory.Put(Second + 16, 0);
        LockWaits waits = image.Read();
        Assert.Empty(waits.Locks);
        Assert.Empty(waits.Problems);
    }

    /// <summary>A simple waiter is no entry of a wait queue, though the word before it names the task too; the head of both looks the same.</summary>
    [Fact]
    public void ASimpleWaiterIsNotTakenForAnother()
    {
        var image = new LockImage();
        ulong a = image.Add("rcu_gp_fqs_loop"), waiter = LockImage.WaiterOf(a);
        image.Memory.Put(First, 0).Put(waiter - 8, a).Put(waiter, a).Link(First + 8, waiter + 8);
        LockWait found = Assert.Single(Assert.Single(image.Read().Locks).Waits);
        Assert.Equal((LockKind.SimpleWaitQueue, First, waiter), (found.Lock.Kind, found.Lock.Address, found.Waiter));
    }

    [Fact]
    public void AnRtMutexIsFoundFromItsWaiter()
    {
        var image = new LockImage();
        ulong a = image.Add("rt_mutex_slowlock_block"), owner = image.Add("msleep"), waiter = LockImage.WaiterOf(a);
        image.Memory.Put(a, waiter).Put(waiter + 48, a).Put(waiter + 56, First).Put(First + 24, owner | 1);
        KernelLock found = Assert.Single(image.Read().Locks);
        Assert.Equal((LockKind.RtMutex, First, owner), (found.Kind, found.Address, found.Owner!.Address));
        image.Memory.Put(First + 24, owner + 0x10);
        Assert.Empty(image.Read().Locks);
    }

    /// <summary>Since 7.1 the waiters are a ring, and the lock points to the first: found by what lies on the stack.</summary>
    [Fact]
    public void ALockThatPointsToItsFirstWaiterIsFound()
    {
        var image = new LockImage(LockImage.WithoutHeads);
        ulong a = image.Add("__mutex_lock"), b = image.Add("__mutex_lock"), owner = image.Add("msleep");
        image.Memory.Put(First, owner | Waiters).Put(First + 16, LockImage.WaiterOf(a));
        image.Wait(LockImage.WaiterOf(a), b);
        image.Memory.Put(LockImage.WaiterOf(a) + 16, a).Put(LockImage.StackOf(b) + 0x1028, First);
        LockWaits waits = image.Read();

        // Nothing leads from the first one's stack there.
        KernelLock found = Assert.Single(waits.Locks);
        Assert.Equal((First, owner), (found.Address, found.Owner!.Address));
        Assert.Equal([100, 101], found.Waits.Select(static w => w.Task.Pid).Order());

        // A second lock that claims the ring: neither is proven.
        image.Memory.Put(Second, owner | Waiters).Put(Second + 16, LockImage.WaiterOf(b)).Put(b + 8, Second);
        Assert.Empty(image.Read().Locks);
    }

    /// <summary>Alone it is linked to itself, and so is one that has left its lock: the lock must name it.</summary>
    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public void OneWaiterAloneIsFoundIfTheLockNamesIt(bool isNamed, int locks)
    {
        var image = new LockImage(LockImage.WithoutHeads);
        ulong a = image.Add("__mutex_lock"), owner = image.Add("msleep"), waiter = LockImage.WaiterOf(a);
        image.Memory.Put(First, owner | Waiters).Put(First + 16, isNamed ? waiter : 0).Put(a + 8, First).Put(waiter + 16, a).Link(waiter);
        Assert.Equal(locks, image.Read().Locks.Count);
    }

    /// <summary>A task that ended while it held the lock: what the lock says is told as what it is.</summary>
    [Fact]
    public void AnOwnerThatIsNoTaskHasNoName()
    {
        var image = new LockImage();
        ulong a = image.Add("__mutex_lock");
        image.Memory.Put(First, 0xffff_8880_7777_0000 | Waiters);
        image.Wait(First + List, a);
        KernelLock found = Assert.Single(image.Read().Locks);
        Assert.Equal((null, 0xffff_8880_7777_0000), (found.Owner, found.OwnerAddress));
    }

    /// <summary>Whose memory the owner's is now has not taken the lock, unless the first waiter has been woken since it was made.</summary>
    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void WhoWasMadeWhileTheFirstWaiterSleptIsNotTheOwner(int sleeper, bool isOwner)
    {
        var image = new LockImage();
        ulong a = image.Add("__mutex_lock"), b = image.Add("__mutex_lock"), owner = image.Add("__mutex_lock");
        image.Memory.Put(First, owner | Waiters);
        image.Wait(First + List, a, b);
        (image.Younger, image.Sleeper) = (owner, sleeper == 0 ? a : b);
        LockWaits waits = image.Read();
        KernelLock found = Assert.Single(waits.Locks);
        Assert.Equal(isOwner ? (owner, null) : (null, owner), (found.Owner?.Address, found.Successor?.Address));
        Assert.Equal(owner, found.OwnerAddress);
    }

    /// <summary>In seconds: made at 18, the clock that it was made by is at 28. What clocks that differ cannot tell is not told.</summary>
    [Theory]
    [InlineData(12, 28, true)]
    [InlineData(12, 27, true)]
    [InlineData(12, 26, false)]
    [InlineData(12, 31, false)]
    [InlineData(10, 28, false)]
    [InlineData(3, 28, false)]
    [InlineData(null, 28, false)]
    public void ATaskIsYoungerIfTheClocksAreSure(int? slept, int now, bool isYounger)
    {
        const ulong Unit = 1_000_000_000;
        Assert.Equal(isYounger, LockWaits.IsYounger(18 * Unit, (ulong?)slept * Unit, 28 * Unit, (ulong)now * Unit));
        Assert.False(LockWaits.IsYounger(29 * Unit, (ulong?)slept * Unit, 28 * Unit, (ulong)now * Unit));
    }

    /// <summary>Whatever of the waiter, the list or the lock is wrong, no lock is told, the walk ends, and it is said.</summary>
    [Theory]
    [InlineData("the waiter is of another task")]
    [InlineData("the next does not lead back")]
    [InlineData("the one before does not lead there")]
    [InlineData("the list leads to user space")]
    [InlineData("the list leads nowhere")]
    [InlineData("the list leads back into itself")]
    [InlineData("the mutex has no waiters")]
    [InlineData("another waiter is on no stack of its task")]
    [InlineData("there are two heads")]
    public void WhatIsNotProvenIsNotTold(string damage)
    {
        LockImage image = Deadlock(out ulong a, out _);
        ulong c = image.Add("__mutex_lock"), waiter = LockImage.WaiterOf(a);
        image.Wait(Second + List, a, c);
        switch (damage)
        {
            case "the waiter is of another task":
                image.Memory.Put(waiter + 16, c);
                break;
            case "the next does not lead back":
                image.Memory.Put(LockImage.WaiterOf(c) + 8, Second);
                break;
            case "the one before does not lead there":
                image.Memory.Put(Second + List, LockImage.WaiterOf(c));
                break;
            case "the list leads to user space":
                image.Memory.Put(waiter, 0x7fff_0000_1000);
                break;
            case "the list leads nowhere":
                image.Memory.Put(LockImage.WaiterOf(c), 0xffff_8880_6666_0000);
                break;
            case "the list leads back into itself":
                image.Memory.Put(LockImage.WaiterOf(c), LockImage.WaiterOf(c));
                break;
            case "the mutex has no waiters":
                image.Memory.Put(Second, LockImage.Structs + 0x1000);
                break;
            case "another waiter is on no stack of its task":
                image.Memory.Put(LockImage.WaiterOf(c) + 16, a);
                break;
            default:
                image.Memory.Put(First + 0x1000, 0).Link(Second + List, waiter, First + 0x1000);
                break;
        }

        LockWaits waits = image.Read();
        Assert.DoesNotContain(waits.Locks, static l => l.Waits.Any(static w => w.Task.Pid == 100));
        Assert.Contains(waits.Problems, static p => p.Code == FindingCode.LocksUnproven && $"{p}".Contains("PID 100", StringComparison.Ordinal));
        Assert.Empty(waits.Cycles);
    }

    private static LockImage Deadlock(out ulong a, out ulong b)
    {
        var image = new LockImage();
        a = image.Add("__mutex_lock.constprop.0");
        b = image.Add("__mutex_lock.constprop.0");
        image.Memory.Put(First, a | Waiters).Put(Second, b | Waiters);
        image.Wait(First + List, b);
        image.Wait(Second + List, a);
        return image;
    }
}
