# Run by the init of tests/vm: fills the memory, says where the vmcoreinfo is, panics.
. /data/sizes
/data/hold $FREED /data/files/00 free >/dev/null
cat /data/files/* >/dev/null
/data/hold $ANON /data/files/01 >/tmp/hold &
mkdir -p /shm
mount -t tmpfs none /shm
head -c $TMPFS /data/files/02 >/shm/file
waited=0
until grep -q ready /tmp/hold; do
    waited=$((waited + 1))
    [ $waited -gt 6000 ] && fail "memory was not filled"
    usleep 100000
done
say "vmcoreinfo $(cat /sys/kernel/vmcoreinfo)"
grep -E 'System RAM|Kernel' /proc/iomem | while read -r line; do say "iomem $line"; done
grep -E 'MemTotal|MemFree|^Cached|AnonPages' /proc/meminfo >/dev/console
echo c >/proc/sysrq-trigger
