#!/bin/sh
# A file system is made, a box starts on it for the first time and takes subscribers, all on a disk that is recorded. What it
# says is what had happened by then. first-start.sh NBD-SOCKET SCRATCH DIST TICKET ADDRESS SUBSCRIBERS
set -eu
socket=$1 scratch=$2 dist=$3 ticket=$4 address=$5 subscribers=$6
disk=$scratch/fuse.raw mount=$scratch/mount loop='' daemon='' box=''
undo() {
  [ -z "$box" ] || kill -9 "$box" 2>/dev/null || true
  sleep 0.2
  umount "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null || true
  [ -z "$loop" ] || losetup -d "$loop" || true
  [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
}
trap undo EXIT
: >"$disk"
mkdir -p "$mount"
qemu-storage-daemon --blockdev "driver=nbd,node-name=disk,server.type=unix,server.path=$socket" \
  --export "type=fuse,id=disk,node-name=disk,mountpoint=$disk,writable=on" &
daemon=$!
for _ in $(seq 100); do [ -s "$disk" ] && break; sleep 0.1; done
mkfs.ext4 -q "$disk"
echo made
loop=$(losetup -f --show "$disk")
# As the image mounts it.
mount -t ext4 -o noatime,nosuid,nodev,commit=30 "$loop" "$mount"
mkdir -p "$mount/lib/ringbox"
"$dist/ringboxd" --data "$mount/lib/ringbox" --ticket "$ticket" --listen "$address" --no-mdns >"$scratch/box.log" 2>&1 &
box=$!
for _ in $(seq 400); do grep -q 'In service' "$scratch/box.log" && break; sleep 0.1; done
grep -q 'In service' "$scratch/box.log" || { cat "$scratch/box.log" >&2; exit 1; }
echo serving
for name in $subscribers; do
  echo secret | "$dist/ringbox" --data "$mount/lib/ringbox" subscriber add "$name" --password-stdin >/dev/null
  echo "acknowledged $name"
done
