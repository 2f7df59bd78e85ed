#!/bin/bash
# The part of the initial RAM disk that is ours: partitions made and grown, the machine's identity, and an end when
# something fails.
check() { return 0; }
depends() { echo systemd-initrd systemd-repart systemd-veritysetup; }
install() {
  inst_simple "$moddir/machine-id.service" /usr/lib/systemd/system/ringbox-machine-id.service
  inst_simple "$moddir/machine-id" /usr/lib/ringbox-image/machine-id
  inst_simple "$moddir/repart-order.conf" /usr/lib/systemd/system/systemd-repart.service.d/10-ringbox.conf
  inst_simple "$moddir/emergency.service" /usr/lib/systemd/system/emergency.service
  inst_multiple mkfs.ext4 mke2fs fsck.ext4 e2fsck fsck mount umount cat tr mkdir mv sync sleep
  inst_multiple -o /usr/lib/repart.d/*.conf
  inst_simple /etc/mke2fs.conf
  mkdir -p "$initdir/usr/lib/systemd/system/initrd.target.wants" "$initdir/usr/lib/systemd/system/emergency.target.requires"
  ln -s ../ringbox-machine-id.service "$initdir/usr/lib/systemd/system/initrd.target.wants/"
  ln -s ../emergency.service "$initdir/usr/lib/systemd/system/emergency.target.requires/"
}
