#!/usr/bin/env bash
# ceph-rgw.sh FOLDER PORT MONPORT REGION ACCESSKEY SECRETKEY GATEWAYCONF
#
# Runs a throwaway Ceph (one monitor, one OSD, one RADOS gateway) in the empty FOLDER: S3 at 127.0.0.1:PORT, for as long
# as this script runs. All data are in memory and go with it. On TERM, or when one of the three ends, all of them are killed.
#
# Needs Debian's ceph-mon, ceph-osd and radosgw (16.2). No systemd, no manager, no cephx. The OSD takes four free ports of
# 6800-7300, MONPORT is the monitor's. GATEWAYCONF is a file with the gateway's own lines for ceph.conf, its 'rgw frontends' among them.
# With 'rgw crypt default encryption key' x-amz-server-side-encryption: AES256 is taken; then every object is encrypted.
#
# What it does not do as Amazon does: checksums in a trailer (400; the SDK's default, so WHEN_REQUIRED), the header of the encryption
# in the answer to HEAD, GetBucketEncryption (answers with a listing), GetBucketReplication (empty), BlockPublicAcls (every
# PUT is 403 then), If-None-Match on CompleteMultipartUpload and CRC32 (both ignored).
set -euo pipefail

folder=$1 port=$2 monport=$3 region=$4 key=$5 secret=$6 gatewayconf=$7
conf=$folder/ceph.conf
classes='STANDARD_IA ONEZONE_IA INTELLIGENT_TIERING GLACIER_IR GLACIER DEEP_ARCHIVE'

# Nothing is to be kept, so nothing is stopped gently.
trap 'jobs=$(jobs -p); [ -z "$jobs" ] || kill -KILL $jobs 2>/dev/null || true' EXIT
trap 'exit 1' TERM INT HUP

daemons=()
start() { "$@" & daemons+=($!); }

# A command that waits in vain for a daemon that has died is no use: whatever ends first is waited for. (In the background, as
# bash would put off the trap until a command in the foreground ends.)
run() {
  local job ended
  "$@" <&0 &
  job=$!
  wait -n -p ended "$job" "${daemons[@]}" || { echo "ceph-rgw: failed: $*" >&2; exit 1; }
  [ "$ended" = "$job" ] || { echo "ceph-rgw: a daemon ended during: $*" >&2; exit 1; }
}

mkdir -p "$folder"/{mon,osd,run}
fsid=$(cat /proc/sys/kernel/random/uuid)
# The same in "osd new" and in --mkfs, else the monitor ignores the OSD for ever and says nothing.
osd=$(cat /proc/sys/kernel/random/uuid)
ulimit -n 65536 2>/dev/null || true

cat >"$conf" <<C
[global]
fsid = $fsid
mon host = v2:127.0.0.1:$monport/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
# The gateway wants a "secure" connection to the monitor, which there is not without cephx: it would hang for 300 s.
ms mon client mode = crc
keyring = $folder/keyring
run dir = $folder/run
admin socket = $folder/run/\$cluster-\$name-\$pid.asok
crash dir = $folder/run
log to file = false
log to stderr = true
err to stderr = true
mon cluster log to file = false
mon cluster log to stderr = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd crush update on start = false
mon allow pool size one = true
mon max pg per osd = 2000
# By default the monitor ends when less than 5 % of the disk are free.
mon data avail crit = 0
mon data avail warn = 0
# Each new pool waits for the map to be committed, by default for a second.
paxos propose interval = 0.02
paxos min wait = 0.01
[mon.a]
mon data = $folder/mon
[osd.0]
osd data = $folder/osd
osd objectstore = memstore
memstore device bytes = 8589934592
osd mclock skip benchmark = true
[client]
rgw dynamic resharding = false
rgw thread pool size = 64
# The memory of removed objects comes back after seconds, not after hours.
rgw gc obj min wait = 5
rgw gc processor period = 5
C
cat "$gatewayconf" >>"$conf"

run monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$monport/0]" "$folder/monmap"
run ceph-mon -c "$conf" -i a --mkfs --monmap "$folder/monmap"
run ceph-osd -c "$conf" -i 0 --mkfs --no-mon-config --osd-uuid "$osd"
start ceph-mon -f -c "$conf" -i a
until (exec 3<>"/dev/tcp/127.0.0.1/$monport") 2>/dev/null; do
  kill -0 "${daemons[0]}" || exit 1
  sleep 0.05
done

# One process for all commands, as each start of it takes half a second.
{
  echo "osd new $osd 0"
  echo 'osd crush add osd.0 1.0 root=default'
  for pool in .rgw.root default.rgw.log default.rgw.control default.rgw.meta \
    default.rgw.buckets.index default.rgw.buckets.data default.rgw.buckets.non-ec; do
    echo "osd pool create $pool 4 4"
    echo "osd pool application enable $pool rgw"
  done
} >"$folder/setup"
run ceph -c "$conf" <"$folder/setup"
start ceph-osd -f -c "$conf" -i 0

admin() { run radosgw-admin -c "$conf" "$@"; }
admin user create --uid=test --display-name=test --access-key="$key" --secret-key="$secret" >/dev/null
admin zonegroup get --rgw-zonegroup default >"$folder/zonegroup.json"
admin zone get --rgw-zone default >"$folder/zone.json"
python3 - "$folder" "$region" $classes <<'P'
import json, sys
folder, region, classes = sys.argv[1], sys.argv[2], sys.argv[3:]
group = json.load(open(folder + '/zonegroup.json'))
group['api_name'] = region
for target in group['placement_targets']:
    target['storage_classes'] = ['STANDARD'] + classes
json.dump(group, open(folder + '/zonegroup.json', 'w'))
zone = json.load(open(folder + '/zone.json'))
for pool in zone['placement_pools']:
    for name in classes:
        pool['val']['storage_classes'][name] = {'data_pool': 'default.rgw.buckets.data'}
json.dump(zone, open(folder + '/zone.json', 'w'))
P
admin zonegroup set --rgw-zonegroup default <"$folder/zonegroup.json" >/dev/null
admin zone set --rgw-zone default <"$folder/zone.json" >/dev/null
start radosgw -f -c "$conf" -n client.rgw
wait -n "${daemons[@]}" || true
echo 'ceph-rgw: a daemon ended' >&2
exit 1
