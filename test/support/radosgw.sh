#!/usr/bin/env bash
# A real S3-compatible server for tests: Ceph's RADOS gateway, one monitor, one manager, one OSD in memory.
#   radosgw.sh up DIR     starts it (about 15 s), prints LARDER_TEST_S3_* lines to eval; all state under DIR
#   radosgw.sh down DIR   stops it by its recorded pids, and waits until they are gone
# Needs Debian's packages: ceph-mon ceph-mgr ceph-osd radosgw ceph-common (apt-get install --no-install-recommends).
# Loopback only. S3_PORT (default 18060) and MON_PORT (default 18040, and the next 20) can be moved.
set -euo pipefail
cmd=${1:?up or down}; W=${2:?directory}; mkdir -p "$W"; W=$(cd "$W" && pwd)
S3_PORT=${S3_PORT:-18060} MON_PORT=${MON_PORT:-18040} KEY=test-access SECRET=test-secret

if [[ $cmd == down ]]; then
  pids=$(cat "$W"/run/*.pid 2>/dev/null || true)
  for pid in $pids; do kill "$pid" 2>/dev/null || true; done
  for _ in $(seq 100); do
    left=''
    for pid in $pids; do kill -0 "$pid" 2>/dev/null && left+=" $pid" || true; done
    [[ -z $left ]] && exit 0
    sleep 0.1
  done
  for pid in $left; do kill -9 "$pid" 2>/dev/null || true; done
  exit 0
fi

rm -rf "$W"/{run,log,mon,mgr,osd,rgw}; mkdir -p "$W"/{run,log,mon,mgr,osd,rgw}
fsid=$(cat /proc/sys/kernel/random/uuid)
cat > "$W/ceph.conf" <<CONF
[global]
fsid = $fsid
mon host = v2:127.0.0.1:$MON_PORT/0
public addr = 127.0.0.1
public network = 127.0.0.0/8
cluster addr = 127.0.0.1
cluster network = 127.0.0.0/8
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = $W/keyring
osd pool default pg autoscale mode = off
ms bind ipv6 = false
ms bind port min = $((MON_PORT + 1))
ms bind port max = $((MON_PORT + 19))
run dir = $W/run
admin socket = $W/run/\$name.asok
log file = $W/log/\$name.log
pid file = $W/run/\$name.pid
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
osd objectstore = memstore
memstore device bytes = 6442450944
mon data = $W/mon
mgr data = $W/mgr
osd data = $W/osd
rgw data = $W/rgw
rgw frontends = beast endpoint=127.0.0.1:$S3_PORT tcp_nodelay=1
mgr initial modules =
CONF
export CEPH_CONF=$W/ceph.conf
{
  monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$MON_PORT]" "$W/monmap" --clobber
  ceph-authtool --create-keyring "$W/keyring" --gen-key -n mon. --cap mon 'allow *'
  ceph-authtool "$W/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  ceph-authtool "$W/keyring" --gen-key -n mgr.x --cap mon 'allow profile mgr' --cap osd 'allow *'
  ceph-authtool "$W/keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap mgr 'allow profile osd' --cap osd 'allow *'
  ceph-authtool "$W/keyring" --gen-key -n client.rgw.t --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  ceph-mon --mkfs -i a --monmap "$W/monmap" --keyring "$W/keyring"
  ceph-mon -i a
  ceph-mgr -i x
  for _ in $(seq 30); do timeout 5 ceph -s && break; sleep 0.5; done
  osd=$(cat /proc/sys/kernel/random/uuid); ceph osd new "$osd"; ceph auth import -i "$W/keyring" || true
  ceph-osd -i 0 --mkfs --osd-uuid "$osd"
  ceph-osd -i 0
  for _ in $(seq 30); do ceph osd stat | grep -q '1 up' && break; sleep 0.5; done
  timeout 60 radosgw-admin user create --uid t --display-name t --access-key "$KEY" --secret-key "$SECRET"
  timeout 60 radosgw -n client.rgw.t
  for _ in $(seq 60); do curl -s -o /dev/null "http://127.0.0.1:$S3_PORT/" && break; sleep 0.5; done
} > "$W/log/up.log" 2>&1 || { echo "did not come up; see $W/log/up.log" >&2; exit 1; }
curl -sf -o /dev/null "http://127.0.0.1:$S3_PORT/" || { echo "gateway does not answer; see $W/log" >&2; exit 1; }
echo "export LARDER_TEST_S3_ENDPOINT=http://127.0.0.1:$S3_PORT LARDER_TEST_S3_ACCESS_KEY=$KEY LARDER_TEST_S3_SECRET_KEY=$SECRET"
