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
    big_namespace=none small_namespace=none
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

# Prints "NAME MODE NAMESPACE DATA SIZE DEVICE" of a new namespace, physical addresses as sysfs has them.
create() {
    ndctl create-namespace "$@" >/tmp/created 2>/tmp/errors || say "create $* failed: $(cat /tmp/errors)"
    name=$(sed -n 's/.*"dev":"\(namespace[^"]*\)".*/\1/p' /tmp/created | head -n 1)
    holder=$(cat /sys/bus/nd/devices/$name/holder)
    say "namespace $(echo "$name" | sed "s/^$big_namespace/big/;s/^$small_namespace/small/") $(cat /sys/bus/nd/devices/$holder/mode) $(cat /sys/bus/nd/devices/$name/resource)" \
        "$(cat /sys/bus/nd/devices/$holder/resource) $(cat /sys/bus/nd/devices/$name/size) $holder"
}

capture() {
    say "capture kernel"
    dmesg | grep -E 'libnvdimm|pfn[0-9]|dax[0-9]' | while read -r line; do say "dmesg $line"; done
    for namespace in /sys/bus/nd/devices/namespace*; do
        [ -e "$namespace" ] || continue
        say "raw ${namespace##*/} force_raw=$(cat $namespace/force_raw) mode=$(cat $namespace/mode)" \
            "holder=$(cat $namespace/holder) driver=$(basename "$(readlink $namespace/driver)") size=$(cat $namespace/size)"
    done
    say "blocks $(ls /sys/block | grep pmem | tr '\n' ' ') dax $(ls /sys/bus/dax/devices | tr '\n' ' ')"
    size=$(stat -c %s /proc/vmcore)
    dd if=/proc/vmcore of=/dev/vda bs=1M conv=notrunc 2>/dev/null
    sync
    if [ "$(word bind)" = 1 ]; then
        # As "ndctl enable-namespace" would: refused while force_raw is set, possible after it is cleared. After the
        # copy, since the memmap is gone then.
        find_regions
        cd /sys/bus/nd/devices
        for space in $big_namespace.*; do [ "$(cat $space/size)" = 268435456 ] && break; done
        echo $space >$space/driver/unbind
        seed=$(cat $big/pfn_seed)
        echo $space >$seed/namespace
        echo pmem >$seed/mode
        cat /proc/sys/kernel/random/uuid >$seed/uuid
        echo $seed >/sys/bus/nd/drivers/nd_pmem/bind && say "bind of a raw namespace: done" || say "bind of a raw namespace: refused"
        dmesg | grep 'kept raw' | while read -r line; do say "dmesg $line"; done
        echo >$seed/namespace
        echo 0 >$space/force_raw
        echo $space >/sys/bus/nd/drivers/nd_pmem/bind
        sleep 1
        say "cleared holder=$(cat $space/holder)"
        cd /
    fi
    say "vmcore size=$size"
}

first() {
    say "vmcoreinfo $(cat /sys/kernel/vmcoreinfo)"
    say "mode $(cat /sys/module/crash_pmem/parameters/headers)"
    say "kexec load $(uname -r)"
    ndctl disable-region all >/dev/null 2>&1
    ndctl init-labels -f all >/dev/null 2>&1
    ndctl enable-region all >/dev/null 2>&1
    find_regions
    list boot
    . /scenario.sh
    grep -E 'System RAM|Persistent|namespace|dax' /proc/iomem | while read -r line; do say "iomem $line"; done
    dmesg | grep -E 'crash|memmap_vmcore|WARN|BUG' | while read -r line; do say "dmesg $line"; done
    list panic
    echo 1 >/proc/sys/kernel/sysrq
    sync
    echo c >/proc/sysrq-trigger
}

if [ -e /proc/vmcore ]; then capture; else first; fi
poweroff -f
