#!/bin/bash
# dracut: puts vmcore, and makedumpfile, kexec and vmcore-dmesg as links to it, into the initramfs. kdump-utils takes the
# programs that its configuration names by itself; this is for other initramfs, on demand (add_dracutmodules+=" vmcore ").
# shellcheck disable=SC2154

check() {
    require_binaries /usr/bin/vmcore || return 1
    return 255
}

depends() {
    return 0
}

install() {
    inst_simple /usr/bin/vmcore
    mkdir -p "${initdir}/usr/sbin"
    local link
    for link in usr/bin/makedumpfile usr/sbin/kexec usr/sbin/vmcore-dmesg; do
        ln -sf /usr/bin/vmcore "${initdir}/${link}"
    done
}
