#!/bin/bash
# openstack-up.sh DIR | --packages  --  bring up a real single-host OpenStack API on 127.0.0.1 from Debian 12 packages.
#   keystone 22, placement 8, glance 25, neutron 21 (ML2/OVN), nova 26 (fake.FakeDriver: servers go ACTIVE, no hypervisor)
#   DIR holds everything: etc/ log/ pid/ run/ data/ clouds.yaml.  Re-runnable: finished steps and live daemons are skipped.
#   Seeded with: external network public, flavors m1.tiny m1.small m1.none (no disk), image debian-12 (a megabyte of zeros),
#   users admin and demo (no administrator), each in a project of its own name.
#   --packages installs them and does no more.
#   Stop with openstack-down.sh DIR [--purge].  PORT_OFFSET (default 30000) is added to the standard ports.
#   PATIENCE (default 5) multiplies every timeout.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "$0: run it as root: it installs packages and starts daemons" >&2; exit 1; }
. /etc/os-release; [ "$ID$VERSION_ID" = debian12 ] || { echo "$0: written for Debian 12's packages, this is $PRETTY_NAME" >&2; exit 1; }
# ---------------------------------------------------------------- packages
PKGS="python3-keystone python3-glance python3-placement python3-nova python3-neutron python3-openstacksdk python3-pymysql python3-sqlalchemy-ext uwsgi-plugin-python3 uwsgi-core rabbitmq-server mariadb-server ovn-central ovn-host openvswitch-switch curl"
if ! dpkg -s $PKGS >/dev/null 2>&1; then
  APT=$(mktemp); echo "installing packages (log: $APT)"
  # nothing may start from a postinst: every daemon is started below by hand
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d
  fi
  failed(){ echo "ERROR: apt" >&2; tail -n 20 $APT >&2; exit 1; }
  # While somebody else's apt is at work: for its lists it does not wait by itself.
  for _ in $(seq 60); do apt-get update >$APT 2>&1 && break; grep -q 'Could not get lock' $APT || failed; sleep 5; done
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io -o DPkg::Lock::Timeout=300 $PKGS >>$APT 2>&1 || failed
  [ -z "$(trap -p EXIT)" ] || { rm -f /usr/sbin/policy-rc.d; trap - EXIT; }
  echo "packages installed"; rm -f $APT
fi

[ "${1:-}" = --packages ] && exit 0
DIR=$(mkdir -p "${1:?usage: $0 DIR}" && cd "$1" && pwd)
exec 9>"$DIR/lock"; flock 9        # one start at a time; closed for the daemons below
PATIENCE=${PATIENCE:-5}
OFF=${PORT_OFFSET:-30000}
IP=127.0.0.1; PW=${OS_SECRET:-devsecret}; HOST=osnode
KS=$((5000+OFF)) PL=$((8778+OFF)) GL=$((9292+OFF)) NV=$((8774+OFF)) NE=$((9696+OFF))
DBP=$((3306+OFF)) MQP=$((5672+OFF)) MQD=$((25672+OFF)) NBP=$((6641+OFF)) SBP=$((6642+OFF))
ETC=$DIR/etc LOG=$DIR/log PID=$DIR/pid RUN=$DIR/run DATA=$DIR/data DONE=$DIR/done
PY=/usr/bin/python3
mkdir -p $ETC $LOG $PID $RUN $DATA $DONE
T0=$(date +%s.%N)
say(){ printf '[%6.1fs] %s\n' "$(echo "$(date +%s.%N) $T0" | awk '{print $1-$2}')" "$*"; }
die(){ echo "ERROR: $*" >&2; exit 1; }
once(){ local n=$1; shift; [ -e $DONE/$n ] && return 0; "$@" >>$LOG/setup-$n.log 2>&1 || { tail -n 15 $LOG/setup-$n.log >&2; die "step $n failed (log/setup-$n.log)"; }; touch $DONE/$n; say "$n"; }
# A pid alone could be a stranger's by now (a reboot, a kept DIR): the time at which the process started goes with it.
born(){ sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
alive(){ local f=$PID/$1.pid p; [ -s $f ] || return 1; read -r p b <$f; [ -n "$b" ] && [ "$(born $p)" = "$b" ]; }
start(){ local n=$1; shift; alive $n && return 0; setsid nohup "$@" >>$LOG/$n.log 2>&1 </dev/null 9>&- & local p=$!; echo $p $(born $p) >$PID/$n.pid; }
waitfor(){ local n=$1 t=$(($2*PATIENCE)); shift 2; local end=$((SECONDS+t)); while ((SECONDS<end)); do "$@" >/dev/null 2>&1 && { say "$n ready"; return 0; }
  [ -s $PID/$n.pid ] && ! alive $n && { tail -n 20 $LOG/$n.log >&2; die "$n died"; }; sleep 0.25; done; tail -n 20 $LOG/$n.log >&2; die "$n not ready in ${t}s"; }
http(){ curl -s --noproxy '*' -o /dev/null -w '%{http_code}' "$1" | grep -qE '^(200|300|401)$'; }
export no_proxy="$IP,localhost" NO_PROXY="$IP,localhost" LC_ALL=C.UTF-8 PYTHONUNBUFFERED=1
unset PYTHONDONTWRITEBYTECODE PYTHONPATH || true

# ---------------------------------------------------------------- ports that somebody else has
for n in mariadb:$DBP rabbitmq:$MQP keystone:$KS placement:$PL glance-api:$GL nova-api:$NV neutron-server:$NE; do
  if ! alive ${n%:*} && (: <>/dev/tcp/$IP/${n#*:}) 2>/dev/null; then die "port ${n#*:} is taken; set PORT_OFFSET (now $OFF)"; fi
done
# ---------------------------------------------------------------- MariaDB
SOCK=$RUN/mysql.sock
db_init(){ mkdir -p $DATA/mysql; mariadb-install-db --no-defaults --datadir=$DATA/mysql --auth-root-authentication-method=normal --skip-test-db --user=root; }
once mariadb-init db_init
start mariadb /usr/sbin/mariadbd --no-defaults --user=root --datadir=$DATA/mysql --socket=$SOCK --bind-address=$IP --port=$DBP \
  --pid-file=$RUN/mariadb.pid --max-connections=400 --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=64M --skip-log-bin --character-set-server=utf8mb3
# ---------------------------------------------------------------- RabbitMQ
mkdir -p $DATA/rabbit $DATA/rabbit-home
cat >$ETC/rabbitmq.conf <<E
listeners.tcp.1 = $IP:$MQP
E
export RABBITMQ_NODENAME=os$OFF@localhost RABBITMQ_DIST_PORT=$MQD RABBITMQ_MNESIA_BASE=$DATA/rabbit RABBITMQ_LOG_BASE=$LOG \
  RABBITMQ_CONFIG_FILE=$ETC/rabbitmq.conf RABBITMQ_PID_FILE=$RUN/rabbit.pid RABBITMQ_ENABLED_PLUGINS_FILE=$ETC/rabbit_plugins RABBITMQ_CONF_ENV_FILE=/dev/null ERL_EPMD_ADDRESS=$IP \
  RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none" ERL_EPMD_PORT=$((4369+OFF))
start epmd epmd -address $IP -port $ERL_EPMD_PORT        # our own epmd: nothing shared, nothing left behind
echo '[].' >$ETC/rabbit_plugins
start rabbitmq env HOME=$DATA/rabbit-home /usr/lib/rabbitmq/bin/rabbitmq-server
# ---------------------------------------------------------------- OVN / OVS (dummy datapath: nothing appears in the kernel)
export OVS_RUNDIR=$RUN OVN_RUNDIR=$RUN OVS_LOGDIR=$LOG OVS_DBDIR=$DATA
mkdb(){ [ -e $DATA/$1.db ] || ovsdb-tool create $DATA/$1.db $2; }
once ovn-dbs eval 'mkdb nb /usr/share/ovn/ovn-nb.ovsschema; mkdb sb /usr/share/ovn/ovn-sb.ovsschema; mkdb vs /usr/share/openvswitch/vswitch.ovsschema'
start ovsdb-nb ovsdb-server --unixctl=$RUN/nb.ctl --remote=punix:$RUN/nb.sock --remote=ptcp:$NBP:$IP $DATA/nb.db
start ovsdb-sb ovsdb-server --unixctl=$RUN/sb.ctl --remote=punix:$RUN/sb.sock --remote=ptcp:$SBP:$IP $DATA/sb.db
start ovsdb-vs ovsdb-server --unixctl=$RUN/vs.ctl --remote=punix:$RUN/db.sock $DATA/vs.db
for s in nb sb db; do for i in $(seq $((40*PATIENCE))); do [ -S $RUN/$s.sock ] && break; sleep 0.1; done; done
start ovn-northd ovn-northd --unixctl=$RUN/northd.ctl --ovnnb-db=unix:$RUN/nb.sock --ovnsb-db=unix:$RUN/sb.sock
start ovs-vswitchd ovs-vswitchd --unixctl=$RUN/vswitchd.ctl --enable-dummy=override --disable-system unix:$RUN/db.sock
VS="ovs-vsctl --db=unix:$RUN/db.sock --timeout=20"
ovs_setup(){ $VS --no-wait init; $VS --no-wait set open . external_ids:system-id=$HOST external_ids:hostname=$HOST external_ids:ovn-remote=unix:$RUN/sb.sock \
   external_ids:ovn-encap-type=geneve external_ids:ovn-encap-ip=$IP external_ids:ovn-bridge-mappings=public:br-ex external_ids:ovn-cms-options=enable-chassis-as-gw \
   external_ids:ovn-monitor-all=true
 $VS --may-exist add-br br-int -- set bridge br-int fail-mode=secure datapath_type=dummy; $VS --may-exist add-br br-ex -- set bridge br-ex datapath_type=dummy; }
once ovs-setup ovs_setup
start ovn-controller ovn-controller unix:$RUN/db.sock    # (this one has no --unixctl: it uses OVN_RUNDIR)
chassis(){ [ -n "$(ovn-sbctl --no-leader-only --timeout=5 --db=unix:$RUN/sb.sock --bare --columns=name find Chassis name=$HOST)" ]; }
waitfor ovn-controller 20 chassis

# ---------------------------------------------------------------- configuration files
DB(){ echo "mysql+pymysql://os:$PW@$IP:$DBP/$1?charset=utf8"; }
MQ="rabbit://guest:guest@$IP:$MQP/"
authblock(){ cat <<E
auth_url = http://$IP:$KS/v3
auth_type = password
project_domain_id = default
user_domain_id = default
project_name = service
username = svc
password = $PW
region_name = RegionOne
E
}
authtoken(){ echo "[keystone_authtoken]"; authblock; cat <<E
www_authenticate_uri = http://$IP:$KS/v3
service_token_roles_required = true
service_token_roles = service
E
}
mkdir -p $ETC/{keystone,placement,glance,nova,neutron} $DATA/{fernet,credential,images,glance,nova,neutron}
cat >$ETC/keystone/keystone.conf <<E
[DEFAULT]
[database]
connection = $(DB keystone)
[token]
provider = fernet
expiration = 86400
[cache]
# One process serves: its memory is cache enough. Without one each token is worked out anew whenever a service asks.
enabled = true
backend = oslo_cache.dict
[fernet_tokens]
key_repository = $DATA/fernet
[credential]
key_repository = $DATA/credential
[identity]
password_hash_rounds = 4
E
cat >$ETC/placement/placement.conf <<E
[api]
auth_strategy = keystone
[placement_database]
connection = $(DB placement)
$(authtoken)
E
cat >$ETC/glance/glance-api-paste.ini <<'E'
[pipeline:glance-api-keystone]
pipeline = http_proxy_to_wsgi versionnegotiation authtoken context rootapp
[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/: apiversions
/v2: apiv2app
[app:apiversions]
paste.app_factory = glance.api.versions:create_resource
[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory
[filter:versionnegotiation]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = true
[filter:http_proxy_to_wsgi]
paste.filter_factory = oslo_middleware:HTTPProxyToWSGI.factory
E
cat >$ETC/glance/glance-api.conf <<E
[DEFAULT]
bind_host = $IP
bind_port = $GL
workers = 0
enabled_backends = fs:file
transport_url = fake:/
[glance_store]
default_backend = fs
[fs]
filesystem_store_datadir = $DATA/images
[os_glance_staging_store]
filesystem_store_datadir = $DATA/glance/staging
[os_glance_tasks_store]
filesystem_store_datadir = $DATA/glance/tasks
[database]
connection = $(DB glance)
[paste_deploy]
flavor = keystone
config_file = $ETC/glance/glance-api-paste.ini
[oslo_concurrency]
lock_path = $DATA/glance
$(authtoken)
E
cat >$ETC/nova/api-paste.ini <<'E'
[composite:osapi_compute]
use = call:nova.api.openstack.urlmap:urlmap_factory
/: oscomputeversions
/v2.1: oscomputeversion_v2
/v2.1/+: openstack_compute_api_v21
[composite:openstack_compute_api_v21]
use = call:nova.api.auth:pipeline_factory_v21
keystone = http_proxy_to_wsgi compute_req_id faultwrap request_log sizelimit authtoken keystonecontext osapi_compute_app_v21
[filter:request_log]
paste.filter_factory = nova.api.openstack.requestlog:RequestLog.factory
[filter:compute_req_id]
paste.filter_factory = nova.api.compute_req_id:ComputeReqIdMiddleware.factory
[filter:faultwrap]
paste.filter_factory = nova.api.openstack:FaultWrapper.factory
[filter:sizelimit]
paste.filter_factory = oslo_middleware:RequestBodySizeLimiter.factory
[filter:http_proxy_to_wsgi]
paste.filter_factory = oslo_middleware.http_proxy_to_wsgi:HTTPProxyToWSGI.factory
[app:osapi_compute_app_v21]
paste.app_factory = nova.api.openstack.compute:APIRouterV21.factory
[pipeline:oscomputeversions]
pipeline = faultwrap request_log http_proxy_to_wsgi oscomputeversionapp
[pipeline:oscomputeversion_v2]
pipeline = compute_req_id faultwrap request_log http_proxy_to_wsgi oscomputeversionapp_v2
[app:oscomputeversionapp]
paste.app_factory = nova.api.openstack.compute.versions:Versions.factory
[app:oscomputeversionapp_v2]
paste.app_factory = nova.api.openstack.compute.versions:VersionsV2.factory
[filter:keystonecontext]
paste.filter_factory = nova.api.auth:NovaKeystoneContext.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
E
cat >$ETC/nova/nova.conf <<E
[DEFAULT]
host = $HOST
my_ip = $IP
state_path = $DATA/nova
enabled_apis = osapi_compute
osapi_compute_listen = $IP
osapi_compute_listen_port = $NV
osapi_compute_workers = 1
transport_url = $MQ
compute_driver = fake.FakeDriver
update_resources_interval = 10
sync_power_state_interval = -1
allow_resize_to_same_host = true
[wsgi]
api_paste_config = $ETC/nova/api-paste.ini
[api]
auth_strategy = keystone
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = 2
[api_database]
connection = $(DB nova_api)
[database]
connection = $(DB nova)
[vnc]
enabled = false
[oslo_concurrency]
lock_path = $DATA/nova
[oslo_messaging_notifications]
driver = noop
[glance]
api_servers = http://$IP:$GL
[cinder]
catalog_info = volumev3::publicURL
[placement]
$(authblock)
[neutron]
$(authblock)
[service_user]
send_service_user_token = true
$(authblock)
$(authtoken)
E
cat >$ETC/neutron/api-paste.ini <<'E'
[composite:neutron]
use = egg:Paste#urlmap
/: neutronversions_composite
/v2.0: neutronapi_v2_0
[composite:neutronapi_v2_0]
use = call:neutron.auth:pipeline_factory
keystone = http_proxy_to_wsgi request_id catch_errors authtoken keystonecontext extensions neutronapiapp_v2_0
[composite:neutronversions_composite]
use = call:neutron.auth:pipeline_factory
keystone = http_proxy_to_wsgi neutronversions
[filter:request_id]
paste.filter_factory = oslo_middleware:RequestId.factory
[filter:catch_errors]
paste.filter_factory = oslo_middleware:CatchErrors.factory
[filter:http_proxy_to_wsgi]
paste.filter_factory = oslo_middleware.http_proxy_to_wsgi:HTTPProxyToWSGI.factory
[filter:keystonecontext]
paste.filter_factory = neutron.auth:NeutronKeystoneContext.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
[filter:extensions]
paste.filter_factory = neutron.api.extensions:plugin_aware_extension_middleware_factory
[app:neutronversions]
paste.app_factory = neutron.pecan_wsgi.app:versions_factory
[app:neutronapiapp_v2_0]
paste.app_factory = neutron.api.v2.router:APIRouter.factory
E
cat >$ETC/neutron/neutron.conf <<E
[DEFAULT]
host = $HOST
bind_host = $IP
bind_port = $NE
api_paste_config = $ETC/neutron/api-paste.ini
state_path = $DATA/neutron
auth_strategy = keystone
core_plugin = ml2
service_plugins = ovn-router
api_workers = 1
rpc_workers = 0
transport_url = fake:/
notify_nova_on_port_status_changes = true
notify_nova_on_port_data_changes = true
allow_overlapping_ips = true
dns_domain = openstacklocal.
[database]
connection = $(DB neutron)
[oslo_concurrency]
lock_path = $DATA/neutron
[nova]
$(authblock)
[placement]
$(authblock)
[ml2]
mechanism_drivers = ovn
type_drivers = local,flat,vlan,geneve
tenant_network_types = geneve
extension_drivers = port_security
[ml2_type_geneve]
vni_ranges = 1:65536
max_header_size = 38
[ml2_type_flat]
flat_networks = public
[securitygroup]
enable_security_group = true
[ovn]
ovn_nb_connection = tcp:$IP:$NBP
ovn_sb_connection = tcp:$IP:$SBP
ovn_l3_scheduler = leastloaded
ovn_metadata_enabled = false
enable_distributed_floating_ip = false
$(authtoken)
E

# ---------------------------------------------------------------- databases
SQL="mariadb --no-defaults --socket=$SOCK -uroot"
waitfor mariadb 60 $SQL -e 'select 1'
db_create(){ for d in keystone placement glance nova_api nova nova_cell0 neutron; do $SQL -e "create database if not exists $d character set utf8mb3"; done
  $SQL -e "create user if not exists os@'$IP' identified by '$PW'; create user if not exists os@localhost identified by '$PW'; grant all on *.* to os@'$IP'; grant all on *.* to os@localhost; flush privileges"; }
once db-create db_create
run(){ local code=$1; shift; $PY -W ignore -c "import sys; sys.argv[0]='${code##*/}'
$code" "$@"; }
nova_manage(){ $PY -c 'import sys;from nova.cmd.manage import main;sys.exit(main())' --config-file $ETC/nova/nova.conf "$@"; }
ks_db(){ keystone-manage --config-file $ETC/keystone/keystone.conf db_sync
  keystone-manage --config-file $ETC/keystone/keystone.conf fernet_setup --keystone-user root --keystone-group root
  keystone-manage --config-file $ETC/keystone/keystone.conf credential_setup --keystone-user root --keystone-group root
  keystone-manage --config-file $ETC/keystone/keystone.conf bootstrap --bootstrap-password $PW --bootstrap-username admin --bootstrap-project-name admin \
   --bootstrap-role-name admin --bootstrap-service-name keystone --bootstrap-region-id RegionOne \
   --bootstrap-admin-url http://$IP:$KS/v3 --bootstrap-public-url http://$IP:$KS/v3 --bootstrap-internal-url http://$IP:$KS/v3; }
pl_db(){ placement-manage --config-file $ETC/placement/placement.conf db sync; }
gl_db(){ $PY -c 'import sys;from glance.cmd.manage import main;sys.exit(main())' --config-file $ETC/glance/glance-api.conf db_sync; }
nv_db(){ nova_manage api_db sync; nova_manage cell_v2 map_cell0 --database_connection "$(DB nova_cell0)"
  nova_manage cell_v2 list_cells | grep -q cell1 || nova_manage cell_v2 create_cell --name cell1; nova_manage db sync; }
ne_db(){ $PY -c 'import sys;from neutron.db.migration.cli import main;sys.exit(main())' --config-file $ETC/neutron/neutron.conf upgrade head; }
# two schema migrations at a time (2 cores): neutron's is the slow one
once db-neutron ne_db & NEPID=$!
once db-keystone ks_db
once db-placement pl_db
once db-glance gl_db
once db-nova nv_db
wait $NEPID || die "db-neutron"

# ---------------------------------------------------------------- services
wsgi(){ local n=$1 port=$2 file=$3; shift 3
  start $n env "$@" uwsgi_python3 --http-socket $IP:$port --wsgi-file $file --master --processes 1 --threads 4 --enable-threads --lazy-apps --need-app \
    --die-on-term --buffer-size 65535 --thunder-lock --add-header 'Connection: close' --procname-prefix "$n "; }
wsgi keystone $KS /usr/bin/keystone-wsgi-public OS_KEYSTONE_CONFIG_FILES=$ETC/keystone/keystone.conf
waitfor keystone 60 http http://$IP:$KS/v3
ks_catalog(){ KS=http://$IP:$KS/v3 PW=$PW $PY - "image=http://$IP:$GL" "compute=http://$IP:$NV/v2.1" "network=http://$IP:$NE" "placement=http://$IP:$PL" <<'E'
import os, sys, openstack
c = openstack.connect(auth_url=os.environ['KS'], username='admin', password=os.environ['PW'], project_name='admin',
                      user_domain_id='default', project_domain_id='default', region_name='RegionOne')
i = c.identity
names = dict(image='glance', compute='nova', network='neutron', placement='placement')
for a in sys.argv[1:]:
    typ, url = a.split('=', 1)
    s = next((x for x in i.services() if x.type == typ), None) or i.create_service(name=names[typ], type=typ)
    have = {e.interface for e in i.endpoints(service_id=s.id)}
    for itf in ('public', 'internal', 'admin'):
        if itf not in have:
            i.create_endpoint(service_id=s.id, interface=itf, url=url, region_id='RegionOne')
roles = {r.name: r for r in i.roles()}
for r in ('service', 'member', 'reader'):
    roles.setdefault(r, None) or roles.__setitem__(r, i.create_role(name=r))
def user(name, project, rs):
    p = i.find_project(project) or i.create_project(name=project, domain_id='default')
    u = i.find_user(name) or i.create_user(name=name, password=os.environ['PW'], default_project_id=p.id, domain_id='default')
    for r in rs:
        i.put(f'/projects/{p.id}/users/{u.id}/roles/{roles[r].id}')
user('svc', 'service', ['admin', 'service'])
user('demo', 'demo', ['member', 'reader'])
E
}
once keystone-catalog ks_catalog
wsgi placement $PL /usr/bin/placement-api OS_PLACEMENT_CONFIG_DIR=$ETC/placement
py(){ local n=$1 mod=$2; shift 2; start $n $PY -W ignore -c "import sys; sys.argv[0]='$n'; from $mod import main; sys.exit(main())" "$@"; }
py glance-api glance.cmd.api --config-file $ETC/glance/glance-api.conf
py neutron-server neutron.cmd.eventlet.server --config-file $ETC/neutron/neutron.conf
waitfor rabbitmq 90 bash -c "echo >/dev/tcp/$IP/$MQP"
py nova-conductor nova.cmd.conductor --config-file $ETC/nova/nova.conf
py nova-scheduler nova.cmd.scheduler --config-file $ETC/nova/nova.conf
py nova-api nova.cmd.api --config-file $ETC/nova/nova.conf
waitfor placement 60 http http://$IP:$PL/
py nova-compute nova.cmd.compute --config-file $ETC/nova/nova.conf
waitfor glance-api 60 http http://$IP:$GL/
waitfor neutron-server 90 http http://$IP:$NE/
waitfor nova-api 60 http http://$IP:$NV/

# ---------------------------------------------------------------- clouds.yaml, readiness, a public network, a flavour
cat >$DIR/clouds.yaml <<E
clouds:
$(for u in admin demo; do cat <<C
  $u:
    region_name: RegionOne
    identity_api_version: 3
    auth:
      auth_url: http://$IP:$KS/v3
      username: $u
      password: $PW
      project_name: $u
      user_domain_id: default
      project_domain_id: default
C
done)
E
ready(){ OS_CLIENT_CONFIG_FILE=$DIR/clouds.yaml $PY - <<'E'
import openstack, sys
c = openstack.connect(cloud='admin')
ok = any(h.name for h in c.compute.hypervisors()) and any(a.is_alive for a in c.network.agents()) and list(c.placement.resource_providers())
sys.exit(0 if ok else 1)
E
}
discover(){ nova_manage cell_v2 discover_hosts; }
waitfor nova-compute 60 ready
once nova-discover discover
seed(){ OS_CLIENT_CONFIG_FILE=$DIR/clouds.yaml $PY - <<'E'
import openstack
c = openstack.connect(cloud='admin')
n = c.network.find_network('public') or c.network.create_network(name='public', is_router_external=True, provider_network_type='flat', provider_physical_network='public')
c.network.find_subnet('public-subnet') or c.network.create_subnet(name='public-subnet', network_id=n.id, ip_version=4, cidr='203.0.113.0/24', gateway_ip='203.0.113.1', is_dhcp_enabled=False, allocation_pools=[dict(start='203.0.113.10', end='203.0.113.250')])
for name, ram, cores, disk in (('m1.tiny', 512, 1, 1), ('m1.small', 2048, 2, 10), ('m1.none', 2048, 2, 0)):
    c.compute.find_flavor(name) or c.compute.create_flavor(name=name, ram=ram, vcpus=cores, disk=disk)
if not c.image.find_image('debian-12'):
    image = c.image.create_image(name='debian-12', disk_format='raw', container_format='bare', visibility='public', min_ram=256, data=bytes(1 << 20))
E
}
once seed seed
say "OpenStack is up. export OS_CLIENT_CONFIG_FILE=$DIR/clouds.yaml ; clouds: admin, demo"
cat $DIR/clouds.yaml
