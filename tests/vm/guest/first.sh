# The first kernel: makes the namespaces and the load, loads the crash kernel, writes down the truth, panics.
# Read by init; case.env, namespaces and work come from the case file.
. /data/in/case.env
out=/data/out
first=$out/first
mkdir -p $first
canary=VMCORE-PMEM-CANARY
mappers=0

# Namespaces: one line each, "REGION MODE MAP SIZE USE[,USE...]".
make_namespace() {
    region=$1 mode=$2 map=$3 size=$4 uses=$5
    arguments="-r region$region -m $mode"
    # Without labels a region is one namespace, which is there already.
    [ -n "$LABELS" ] || arguments="-f -e namespace$region.0 -m $mode"
    [ "$map" = - ] || arguments="$arguments -M $map"
    [ "$size" = rest ] || arguments="$arguments -s $size"
    case $mode in fsdax | devdax) arguments="$arguments -a $ALIGN" ;; esac
    if ! ndctl create-namespace $arguments >/tmp/ns 2>>$out/ndctl.log; then
        say "ndctl create-namespace $arguments failed: $(tail -n 1 $out/ndctl.log)"
        return
    fi
    cat /tmp/ns >>$out/ndctl.log
    device=$(sed -n 's/.*"dev":"\(namespace[^"]*\)".*/\1/p' /tmp/ns | head -n 1)
    block=$(sed -n 's/.*"blockdev":"\([^"]*\)".*/\1/p' /tmp/ns | head -n 1)
    character=$(sed -n 's/.*"chardev":"\([^"]*\)".*/\1/p' /tmp/ns | head -n 1)
    say "namespace $device $mode map=$map size=$size ${block:-$character}"
    for use in $(echo "$uses" | tr , ' '); do
        use_namespace "$use"
    done
}

use_namespace() {
    bytes=0
    [ -n "$block" ] && bytes=$(blockdev --getsize64 /dev/$block)
    [ -n "$character" ] && bytes=$(cat /sys/bus/dax/devices/$character/size)
    case $1 in
    idle) ;;
    fill) mapper disk /dev/$block $bytes $canary || say "filling $block failed" ;;
    map) start_mapper dax /dev/$character $bytes $canary ;;
    ext4 | xfs)
        mkdir -p /mnt/$block
        if [ $1 = ext4 ]; then
            /sbin/mke2fs -q -t ext4 -b $PAGE /dev/$block
        else
            /sbin/mkfs.xfs -q -f -m reflink=1 /dev/$block
        fi >>$out/ndctl.log 2>&1 || say "making a file system on $block failed"
        mount -t $1 -o dax=always /dev/$block /mnt/$block || say "mounting $block with DAX failed"
        mkdir -p /mnt/$block/data
        start_mapper file /mnt/$block/data/mapped $((bytes / 4 / PAGE * PAGE)) $canary
        start_mapper file /mnt/$block/small 1048576 $canary
        if [ $1 = xfs ]; then
            wait_for_mappers
            mapper clone /mnt/$block/shared 1048576 /mnt/$block/small || say "no reflink on $block"
            start_mapper read /mnt/$block/shared 1048576 $canary
            # Sharing took the pages out of the first file's map.
            wait_for_mappers
            start_mapper read /mnt/$block/small 1048576 $canary
        fi
        ;;
    destroy) ndctl destroy-namespace -f $device >>$out/ndctl.log 2>&1 || say "destroying $device failed" ;;
    ram)
        # Where the kernel onlines new memory by itself, daxctl refuses: it wants to choose the zone.
        echo offline >/sys/devices/system/memory/auto_online_blocks
        daxctl reconfigure-device -m system-ram $character >>$out/ndctl.log 2>&1 || say "no system-ram"
        ;;
    *) fail "unknown use $1" ;;
    esac
}

start_mapper() {
    mappers=$((mappers + 1))
    mapper "$@" >/tmp/mapper.$mappers 2>&1 &
}

wait_for_mappers() {
    number=0
    while [ $number -lt $mappers ]; do
        number=$((number + 1))
        waited=0
        until grep -q ready /tmp/mapper.$number; do
            waited=$((waited + 1))
            [ $waited -gt 6000 ] && say "mapper $number: $(cat /tmp/mapper.$number)" && break
            usleep 100000
        done
        cat /tmp/mapper.$number >>$first/mappers
    done
}

load() {
    sh /data/in/load.sh
}

# A reload by the rules in packaging/udev, not by us: udevd runs, an event comes, the crash kernel is loaded again.
start_udev() {
    echo "VMCORE_RELOAD='sh /data/in/load.sh'" >/etc/default/vmcore-kdump
    /lib/systemd/systemd-udevd --daemon >>$out/udev.log 2>&1 || say "udevd failed"
    udevadm settle >>$out/udev.log 2>&1
    loads=$(grep -c '^# exit' $out/load.log)
}

wait_for_udev() {
    waited=0
    until [ "$(grep -c '^# exit' $out/load.log)" -gt $loads ]; do
        waited=$((waited + 1))
        [ $waited -gt 6000 ] && say "the udev rule failed to reload" && break
        usleep 100000
    done
}

if [ -s /data/in/namespaces ]; then
    if [ -n "$LABELS" ]; then
        ndctl disable-region all >/dev/null 2>&1
        ndctl init-labels -f all >>$out/ndctl.log 2>&1 || say "init-labels failed"
        ndctl enable-region all >/dev/null 2>&1
    fi
    grep -v '	late$' /data/in/namespaces >/tmp/now
    while read -r region mode map size uses; do
        make_namespace $region $mode $map $size $uses
    done </tmp/now
fi

# Its functions (say, fail) are init's.
[ -z "$OPTIONS" ] || . /data/in/options.sh

[ "$LOADER" = none ] || load

if grep -q '	late$' /data/in/namespaces 2>/dev/null; then
    grep '	late$' /data/in/namespaces >/tmp/later
    [ "$RELOAD" = udev ] && start_udev
    while read -r region mode map size uses late; do
        make_namespace $region $mode $map $size $uses
    done </tmp/later
    case $RELOAD in
    udev) wait_for_udev ;;
    yes) load ;;
    esac
fi

while read -r kind size; do
    case $kind in
    anon | thp | hugetlb)
        [ $kind = hugetlb ] && echo $((size / 2097152)) >/proc/sys/vm/nr_hugepages
        # Off by itself below 512 MiB of RAM.
        [ $kind = thp ] && echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
        start_mapper $kind $size VMCORE-ANON-TEXT
        ;;
    cache) dd if=/dev/urandom of=/data/cache bs=1M count=$((size / 1048576)) 2>/dev/null ;;
    swap)
        mkswap /dev/vdd >/dev/null && swapon /dev/vdd
        # More anonymous memory than a cgroup may have resident: the rest goes to swap, some stays in the swap cache.
        mkdir -p /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup
        echo +memory >/sys/fs/cgroup/cgroup.subtree_control
        mkdir /sys/fs/cgroup/small
        echo $((size / 2)) >/sys/fs/cgroup/small/memory.high
        (echo 0 >/sys/fs/cgroup/small/cgroup.procs; exec mapper anon $size VMCORE-ANON-TEXT >/dev/null 2>&1) &
        sleep 8
        ;;
    tmpfs) mkdir -p /shm && mount -t tmpfs none /shm && dd if=/dev/urandom of=/shm/file bs=1M count=$((size / 1048576)) 2>/dev/null ;;
    *) fail "unknown work $kind" ;;
    esac
done </data/in/work
wait_for_mappers

# "NUMBER OPTIONS...": our dumps of this kernel while it runs.
if [ -n "$LIVE" ]; then
    set -- $LIVE
    count=$1
    shift
    number=0
    while [ $number -lt $count ]; do
        started=$(cut -d ' ' -f 1 /proc/uptime)
        /data/in/tools/makedumpfile "$@" /proc/kcore $first/live.$number >$first/live.$number.log 2>&1 </dev/null
        status=$?
        echo "exit=$status seconds=$(echo "$started $(cut -d ' ' -f 1 /proc/uptime)" | awk '{print $2 - $1}')" >$first/live.$number.status
        say "live dump $number exit=$status"
        number=$((number + 1))
    done
fi

# The truth about this machine, as it is now.
for name in iomem cmdline meminfo zoneinfo buddyinfo vmallocinfo mounts modules kallsyms version swaps; do
    cat /proc/$name >$first/$name 2>/dev/null
done
cat /sys/kernel/vmcoreinfo >$first/vmcoreinfo_addr
ps >$first/ps
dmesg >$first/dmesg
for device in /sys/bus/nd/devices/* /sys/bus/dax/devices/*; do
    [ -d "$device" ] || continue
    for attribute in "$device"/*; do
        name=${attribute##*/}
        case $name in modalias | uevent | flags | commands | dimm* | dsm_mask | notify*) continue ;; esac
        [ -f "$attribute" ] && [ -r "$attribute" ] && echo "${device##*/}/$name=$(cat "$attribute" 2>/dev/null | tr '\n' ' ')"
    done
done >$first/nd-sysfs
ndctl list -RNDvu >$first/ndctl-list.json 2>/dev/null
daxctl list >$first/daxctl-list.json 2>/dev/null
if [ -n "$LEAN" ]; then
    # Little to dump: the files of the initramfs that are needed no more, and the page cache.
    rm -rf /modules /tools/vmcore /usr/bin/ndctl /usr/bin/daxctl /sbin/mkfs.xfs /sbin/mke2fs /sbin/kexec /usr/lib /lib
    echo 3 >/proc/sys/vm/drop_caches
fi
say "crash kernel region $(grep 'Crash kernel' /proc/iomem | tail -n 1)"
sync
# Not unmounted: its page cache has to be there at the crash.
mount -o remount,ro /data
# Last and past the page cache, so that writing them down changes as little as can be.
dd if=/proc/kpageflags of=/dev/vdc bs=64k oflag=direct conv=notrunc 2>/dev/null
dd if=/proc/kpagecount of=/dev/vdc bs=64k oflag=direct conv=notrunc seek=1024 2>/dev/null
say "before the panic"
if [ -n "$STAY" ]; then
    # The host takes its own dump of the running machine and then ends it.
    while :; do sleep 1; done
fi
sleep 2
echo c >/proc/sysrq-trigger
