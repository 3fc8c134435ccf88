#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
# PID 1 of the first kernel and of the capture kernel. Which one this is: only the second has /proc/vmcore.
/bin/busybox mkdir -p /proc /sys /dev /tmp /bin /sbin /usr/bin
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t debugfs debugfs /sys/kernel/debug

say() { echo "TEST $*" >/dev/console; }
list() {
    memmaps >/tmp/list
    say "list $1: $(tr '\n' ';' </tmp/list) status=$?"
}
word() { sed -n "s/.*$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
load() {
    kexec -s -p --command-line="console=ttyS0 nr_cpus=1 panic=1 loglevel=5 no_timer_check $(word capture | tr , ' ')" \
        --initrd=/capture.img /vmlinuz
    say "load $1 exit=$? loaded=$(cat /sys/kernel/kexec_crash_loaded)"
}

# The regions by what they are: their numbers are by chance.
find_regions() {
    big_namespace=none small_namespace=none virtio_namespace=none
    for region in /sys/bus/nd/devices/region*; do
        number=${region##*region}
        case $(readlink -f $region) in
        *virtio*) kind=virtio ;;
        *e820*) kind=legacy ;;
        *) [ "$(cat $region/size)" -gt 300000000 ] && kind=big || kind=small ;;
        esac
        eval "$kind=region$number ${kind}_namespace=namespace$number"
    done
}

# A namespace's name as the judge knows it.
known() { echo "$1" | sed "s/^$big_namespace\./big./;s/^$small_namespace\./small./;s/^$virtio_namespace\./virtio./"; }

# Prints "NAME MODE NAMESPACE DATA SIZE DEVICE" of a new namespace, physical addresses as sysfs has them.
create() {
    ndctl create-namespace "$@" >/tmp/created 2>/tmp/errors || say "create $* failed: $(cat /tmp/errors)"
    name=$(sed -n 's/.*"dev":"\(namespace[^"]*\)".*/\1/p' /tmp/created | head -n 1)
    holder=$(cat /sys/bus/nd/devices/$name/holder)
    say "namespace $(known "$name") $(cat /sys/bus/nd/devices/$holder/mode) $(cat /sys/bus/nd/devices/$name/resource)" \
        "$(cat /sys/bus/nd/devices/$holder/resource) $(cat /sys/bus/nd/devices/$name/size) $holder"
}

destroy() {
    ndctl destroy-namespace -f "$1"
    say "destroyed $(known "$1")"
}

# One in sector mode, with something in its first sector.
create_sector() {
    ndctl create-namespace -m sector "$@" >/tmp/created 2>/tmp/errors || say "create sector $* failed: $(cat /tmp/errors)"
    block=$(sed -n 's/.*"blockdev":"\([^"]*\)".*/\1/p' /tmp/created | head -n 1)
    echo "a sector of the first kernel" | dd of=/dev/$block conv=sync,fsync bs=4096 2>/dev/null
    name=$(sed -n 's/.*"dev":"\(namespace[^"]*\)".*/\1/p' /tmp/created | head -n 1)
    say "sector $(known "$name") $(cat /sys/bus/nd/devices/$name/resource)"
}

# A pfn device as "ndctl enable-namespace" makes it, of a namespace that is not bound. Arguments: namespace, uuid.
bind_by_hand() {
    local seed
    seed=$(cat $big/pfn_seed)
    echo $1 >$seed/namespace
    echo pmem >$seed/mode
    echo $2 >$seed/uuid
    echo $seed >/sys/bus/nd/drivers/nd_pmem/bind && say "bind of a raw namespace: done" || say "bind of a raw namespace: refused"
    echo >$seed/namespace
}

# The uuid in the info block on a block device, signature "NVDIMM_PFN_INFO".
block_uuid() {
    dd if=/dev/$1 bs=1 skip=4112 count=16 2>/dev/null | hexdump -v -e '16/1 "%02x" "\n"' |
        sed 's/^\(.\{8\}\)\(.\{4\}\)\(.\{4\}\)\(.\{4\}\)/\1-\2-\3-\4-/'
}

capture() {
    # The kernel's messages come from its log: on the serial line they would stand in the middle of ours.
    dmesg -n 1
    say "capture kernel"
    find_regions
    dmesg | grep -E 'libnvdimm|kept raw|pfn[0-9]|dax[0-9]' | while read -r line; do say "dmesg $line"; done
    for namespace in /sys/bus/nd/devices/namespace*; do
        [ -e "$namespace" ] || continue
        say "raw $(known "${namespace##*/}") force_raw=$(cat $namespace/force_raw) mode=$(cat $namespace/mode)" \
            "holder=$(cat $namespace/holder) driver=$(basename "$(readlink $namespace/driver)") size=$(cat $namespace/size)" \
            "resource=$(cat $namespace/resource)"
    done
    say "blocks $(ls /sys/block | grep pmem | tr '\n' ' ') dax $(ls /sys/bus/dax/devices | tr '\n' ' ')"
    size=$(stat -c %s /proc/vmcore)
    dd if=/proc/vmcore of=/dev/vda bs=1M conv=notrunc 2>/dev/null
    sync
    if [ "$(word bind)" = 1 ]; then
        # As "ndctl enable-namespace" would: refused while force_raw is set, possible after it is cleared. After the
        # copy, since the memmap is gone then.
        cd /sys/bus/nd/devices
        for space in $big_namespace.*; do [ "$(cat $space/size)" = 268435456 ] && break; done
        uuid=$(block_uuid $(ls $space/block))
        dmesg -c >/dev/null
        echo $space >$space/driver/unbind
        bind_by_hand $space $uuid
        bind_by_hand $space $(cat /proc/sys/kernel/random/uuid)
        dmesg | grep -E 'kept raw|no info block' | while read -r line; do say "bound $line"; done
        echo 0 >$space/force_raw
        echo $space >/sys/bus/nd/drivers/nd_pmem/bind
        sleep 1
        say "cleared holder=$(cat $space/holder)"
        for block in /sys/block/pmem*s; do say "sector has $(head -c 28 /dev/${block##*/})"; done
        cd /
    fi
    say "vmcore size=$size"
}

first() {
    say "vmcoreinfo $(cat /sys/kernel/vmcoreinfo)"
    say "mode $(cat /sys/module/crash_pmem/parameters/headers)"
    say "kexec load $(uname -r)"
    dmesg | grep -oE '(not )?ok [0-9]+ (- )?[a-z_]+' | sed 's/ - / /' | while read -r line; do say "kunit $line"; done
    ndctl disable-region all >/dev/null 2>&1
    ndctl init-labels -f all >/dev/null 2>&1
    ndctl enable-region all >/dev/null 2>&1
    find_regions
    list boot
    . /scenario.sh
    grep -E 'System RAM|Persistent|namespace|dax' /proc/iomem | while read -r line; do say "iomem $line"; done
    dmesg | grep -E 'crash|memmap_vmcore|WARN|BUG' | while read -r line; do say "dmesg $line"; done
    list panic
    # What a program writes to the serial line waits in a buffer, which a crash does not send.
    sleep 2
    echo 1 >/proc/sys/kernel/sysrq
    sync
    echo c >/proc/sysrq-trigger
}

if [ -e /proc/vmcore ]; then capture; else first; fi
poweroff -f
