#!/bin/bash
# openstack-down.sh DIR [--purge]  --  stop what openstack-up.sh DIR started (by its pid files only); --purge removes DIR too
set -u
DIR=$(cd "${1:?usage: $0 DIR [--purge]}" && pwd) || exit 1
stop(){ # NAME GRACE-SECONDS: each daemon was started with setsid, so its pid is also its process group
  local f=$DIR/pid/$1.pid p b i; [ -s "$f" ] || return 0; read -r p b <"$f"
  # Not a stranger who has got the number since.
  [ -n "$b" ] && [ "$(sed 's/.*) //' "/proc/$p/stat" 2>/dev/null | cut -d' ' -f20)" = "$b" ] || { rm -f "$f"; return 0; }
  if kill -0 -- "-$p" 2>/dev/null; then
    kill -TERM -- "-$p" 2>/dev/null
    for ((i=0; i<$2*5; i++)); do kill -0 -- "-$p" 2>/dev/null || break; sleep 0.2; done
    kill -0 -- "-$p" 2>/dev/null && kill -KILL -- "-$p" 2>/dev/null
  fi
  rm -f "$f"; }
for n in nova-compute nova-api nova-scheduler nova-conductor neutron-server glance-api placement keystone; do stop $n 4 & done; wait
for n in ovn-controller ovs-vswitchd ovn-northd ovsdb-vs ovsdb-sb ovsdb-nb; do stop $n 3 & done; stop rabbitmq 15 & stop mariadb 20 & wait
stop epmd 2
[ "${2:-}" = --purge ] && rm -rf "$DIR"
exit 0
