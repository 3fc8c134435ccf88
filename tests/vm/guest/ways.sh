# The first kernel of a case with ways: loads the crash kernel, then crashes or hangs as WAY says (guest/ways.c). Read by init, in place of first.sh.
. /data/in/case.env
out=/data/out
mkdir -p $out/first
sh /data/in/load.sh
insmod /data/in/ways.ko || fail "no module of ways"

set_to() {
    echo "$2" >"$1" || say "setting $1 failed"
}

kernel=/proc/sys/kernel
set_to $kernel/panic_on_oops 1
case $WAY in
dm)
    export DM_DISABLE_UDEV=1
    dmsetup create ways --table "0 65536 linear /dev/vdb 0" && /sbin/mke2fs -q -t ext4 /dev/dm-0 && mkdir -p /mnt/ways &&
        mount -t ext4 /dev/dm-0 /mnt/ways || say "device mapper failed"
    ;;
esac
cat /proc/kallsyms >$out/first/kallsyms
sync
mount -o remount,ro /data
# The watchdogs are made quick last of all: without KVM the rest may take its time.
case $WAY in
softlockup | spinlock) set_to $kernel/softlockup_panic 1 && set_to $kernel/watchdog_thresh 5 ;;
rcu)
    set_to $kernel/soft_watchdog 0
    set_to $kernel/panic_on_rcu_stall 1
    set_to /sys/module/rcupdate/parameters/rcu_cpu_stall_timeout 5
    ;;
nmi) set_to $kernel/soft_watchdog 0 && set_to $kernel/unknown_nmi_panic 1 ;;
warn) set_to $kernel/panic_on_warn 1 ;;
oom) set_to /proc/sys/vm/overcommit_memory 1 && set_to /proc/sys/vm/panic_on_oom 1 ;;
deadlock | lost | chain | rwsem | rwread | rwstale | gone | sem | flush | io | dm)
    set_to $kernel/hung_task_panic 1
    set_to $kernel/hung_task_timeout_secs 5
    ;;
esac
say "way $WAY"
case $WAY in
sysrq) echo c >/proc/sysrq-trigger ;;
tasks) sh -c "echo t >/proc/sysrq-trigger; echo c >/proc/sysrq-trigger" ;;
init) exit 3 ;;
oom) mapper anon 4294967296 VMCORE-ANON-TEXT ;;
mce) say "inject mce" ;;
io)
    echo io >/proc/ways
    dd if=/dev/zero of=/dev/ways0 bs=4096 count=4 conv=fsync 2>/dev/null &
    dd if=/dev/ways0 of=/dev/null bs=4096 count=1 skip=8 iflag=direct 2>/dev/null &
    ;;
dm)
    dmsetup suspend --nolockfs --noflush ways
    dd if=/dev/zero of=/mnt/ways/file bs=4096 count=4 conv=fsync 2>/dev/null &
    ;;
fake)
    # What a process writes to the log is not the kernel's word.
    for line in "BUG: unable to handle page fault for address: ffff800000000000" "RIP: 0010:vfs_read+0x10/0x20" \
        "INFO: task systemd:1 blocked for more than 120 seconds." "Kernel panic - not syncing: softlockup: hung tasks"; do
        echo "$line" >/dev/kmsg
    done
    sh -c "echo null >/proc/ways"
    ;;
earlier)
    # An oops that the machine survives, and a warning; then what it dies of.
    set_to $kernel/panic_on_oops 0
    sh -c "echo null >/proc/ways"
    sh -c "echo warn >/proc/ways"
    set_to $kernel/panic_on_oops 1
    sh -c "echo divide >/proc/ways"
    ;;
*) sh -c "echo $WAY >/proc/ways" ;;
esac
sleep 100
fail "the machine goes on after $WAY"
