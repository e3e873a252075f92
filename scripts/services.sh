#!/usr/bin/env bash
# A private RabbitMQ node and a private PostgreSQL server, on free loopback ports, all in DIR.
#
#   services.sh start DIR [--fast] [--api] [--only amqp|postgres]
#   services.sh stop DIR          ends both, by process id; DIR stays, for its logs
#   services.sh kill DIR amqp     kill -9 of the broker, as a test of a crash
#   services.sh env DIR           shell lines: AMQP_URL, AMQP_API, RABBITMQCTL, RABBITMQ_PID,
#                                 DATABASE_URL
#   services.sh test-env DIR      shell lines for a run of the tests against them
#   services.sh rabbitmqctl DIR ARGS…
#
# Several may run at once, each in its own DIR; `start` again starts what is down, on the same ports
# and with the same data. --fast gives up PostgreSQL's durability for speed: tests only, it is wrong
# for a benchmark. --api, which --fast implies, adds RabbitMQ's management API: with it a test makes
# itself a vhost in no time. Root is not needed; as root, PostgreSQL runs as the user `postgres`.
set -euo pipefail

die() { echo "services.sh: $*" >&2; exit 1; }
usage() { sed -n '2,15s/^# \{0,1\}//p' "$0"; exit 2; }

[ $# -ge 2 ] || usage
command=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
shift 2

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# The folder that a program really lives in; "/" when it is not installed.
home_of() { dirname "$(readlink -f "$(command -v "$1" || echo /none)")"; }

# Ports below 32768 are not handed out by the kernel to somebody else's outgoing connection.
free_port() {
  local port
  for _ in $(seq 200); do
    port=$((RANDOM % 11000 + 21000))
    if ! answers "$port" && ! grep -qs " $port\$" "$dir/ports"; then
      echo "$port"
      return
    fi
  done
  die "no free port found"
}
# A port keeps its number for the life of DIR, so that a restart is found by its clients.
port_of() {
  local port
  port=$(sed -n "s/^$1 //p" "$dir/ports" 2>/dev/null | tail -n 1)
  if [ -z "$port" ]; then
    port=$(free_port)
    echo "$1 $port" >>"$dir/ports"
  fi
  echo "$port"
}
forget_port() { sed -i "/^$1 /d" "$dir/ports"; }

# A process id is believed only while its command line names DIR: ids are used again.
is_ours() { tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF -- "$2"; }
read_pid() { if [ -s "$1" ]; then head -n 1 "$1"; fi; }
end_process() { # pid file, text in its command line, seconds before kill -9
  local pid
  pid=$(read_pid "$1")
  [ -n "$pid" ] || return 0
  if is_ours "$pid" "$2"; then
    kill "$pid" 2>/dev/null || true
    for _ in $(seq $(($3 * 10))); do
      is_ours "$pid" "$2" || break
      sleep 0.1
    done
    if is_ours "$pid" "$2"; then kill -9 "$pid" 2>/dev/null || true; fi
  fi
  rm -f "$1"
}

# --- RabbitMQ -----------------------------------------------------------------------------------

amqp=$dir/amqp
rabbit_bin=/usr/lib/rabbitmq/bin
[ -d "$rabbit_bin" ] || rabbit_bin=$(home_of rabbitmq-server)

rabbit_env() {
  export HOME=$amqp/home
  export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT
  ERL_EPMD_PORT=$(port_of epmd)
  # The node's name need not be unique: it is known to its own epmd only.
  export RABBITMQ_NODENAME=private@localhost
  export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT RABBITMQ_DIST_PORT
  RABBITMQ_NODE_PORT=$(port_of amqp)
  RABBITMQ_DIST_PORT=$(port_of dist)
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
  export RABBITMQ_CTL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
  export RABBITMQ_BASE=$amqp RABBITMQ_MNESIA_BASE=$amqp/data RABBITMQ_LOG_BASE=$amqp/log
  export RABBITMQ_PID_FILE=$amqp/pid RABBITMQ_CONFIG_FILE=$amqp/rabbitmq.conf
  export RABBITMQ_ADVANCED_CONFIG_FILE=$amqp/advanced.config
  export RABBITMQ_CONF_ENV_FILE=$amqp/rabbitmq-env.conf
  export RABBITMQ_ENABLED_PLUGINS_FILE=$amqp/enabled_plugins
}

start_amqp() {
  [ -x "$rabbit_bin/rabbitmq-server" ] || die "no RabbitMQ: run scripts/install-services.sh"
  mkdir -p "$amqp/home" "$amqp/log" "$amqp/data"
  chmod 700 "$amqp/home"
  if [ ! -s "$amqp/home/.erlang.cookie" ]; then
    (umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$amqp/home/.erlang.cookie")
  fi
  chmod 400 "$amqp/home/.erlang.cookie"
  local tries
  for tries in 1 2 3; do
    if try_amqp; then return; fi
    [ "$tries" = 3 ] || end_amqp
    # Somebody else may have been quicker at one of the ports; data already there keeps them.
    if [ -e "$amqp/started" ]; then continue; fi
    forget_port epmd; forget_port amqp; forget_port dist; forget_port api
  done
  tail -n 30 "$amqp/server.out" >&2 || true
  die "RabbitMQ did not start; its logs are in $amqp"
}

try_amqp() {
  rabbit_env
  local pid
  pid=$(read_pid "$amqp/pid")
  if [ -n "$pid" ] && is_ours "$pid" "$amqp" && answers "$RABBITMQ_NODE_PORT"; then return 0; fi
  rm -f "$amqp/pid"
  if [ "$api" = 1 ]; then touch "$amqp/api"; fi
  : >"$amqp/rabbitmq-env.conf"
  echo '[].' >"$amqp/enabled_plugins"
  if [ -e "$amqp/api" ]; then echo '[rabbitmq_management].' >"$amqp/enabled_plugins"; fi
  # Room for the alarms to be tried by hand, none of them on by chance on a small machine.
  cat >"$amqp/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$RABBITMQ_NODE_PORT
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
log.console.level = warning
log.file.level = info
CONF
  if [ -e "$amqp/api" ]; then
    # For the sake of vhosts alone: its statistics would cost more than the tests.
    cat >>"$amqp/rabbitmq.conf" <<CONF
management.tcp.ip = 127.0.0.1
management.tcp.port = $(port_of api)
management_agent.disable_metrics_collector = true
CONF
  fi
  # The quorum queues' log is written in files of this size; the default is 512 MiB.
  echo '[{ra, [{wal_max_size_bytes, 67108864}]}].' >"$amqp/advanced.config"

  # Our own epmd in the foreground: started by the node it would be a daemon with an id unknown.
  local epmd
  epmd=$(command -v epmd || ls -d /usr/lib/erlang/erts-*/bin/epmd | tail -n 1)
  if ! answers "$ERL_EPMD_PORT"; then
    setsid "$epmd" -address 127.0.0.1 -port "$ERL_EPMD_PORT" -relaxed_command_check \
      </dev/null >>"$amqp/epmd.out" 2>&1 &
    echo $! >"$amqp/epmd.pid"
    for _ in $(seq 50); do answers "$ERL_EPMD_PORT" && break; sleep 0.1; done
  fi
  write_rabbitmqctl
  setsid "$rabbit_bin/rabbitmq-server" </dev/null >>"$amqp/server.out" 2>&1 &
  local starter=$!
  for _ in $(seq 900); do
    if [ -s "$amqp/pid" ] && answers "$RABBITMQ_NODE_PORT"; then
      # The port may be somebody else's: only our own node answers to this.
      "$amqp/rabbitmqctl" -q await_startup --timeout 60 >>"$amqp/server.out" 2>&1 || return 1
      touch "$amqp/started"
      return 0
    fi
    kill -0 "$starter" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

end_amqp() {
  end_process "$amqp/pid" "$amqp" 30
  end_process "$amqp/epmd.pid" "-port $(port_of epmd)" 2
}

write_rabbitmqctl() { # a program that talks to this node and to no other
  {
    echo '#!/bin/sh'
    rabbit_env
    for name in HOME ERL_EPMD_ADDRESS ERL_EPMD_PORT RABBITMQ_NODENAME RABBITMQ_CTL_ERL_ARGS \
      RABBITMQ_CONF_ENV_FILE RABBITMQ_MNESIA_BASE RABBITMQ_LOG_BASE RABBITMQ_CONFIG_FILE \
      RABBITMQ_ADVANCED_CONFIG_FILE RABBITMQ_ENABLED_PLUGINS_FILE RABBITMQ_PID_FILE; do
      printf "export %s='%s'\n" "$name" "${!name}"
    done
    echo "exec $rabbit_bin/rabbitmqctl \"\$@\""
  } >"$amqp/rabbitmqctl"
  chmod 755 "$amqp/rabbitmqctl"
}

# --- PostgreSQL ---------------------------------------------------------------------------------

pg=$dir/postgres
pg_user=$(id -un)
as_pg=()
if [ "$(id -u)" = 0 ]; then
  pg_user=postgres
  as_pg=(runuser -u postgres --)
fi
pg_bin() {
  local found
  found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
  if [ -z "$found" ]; then found=$(home_of pg_ctl); fi
  [ -x "$found/pg_ctl" ] || die "no PostgreSQL server: run scripts/install-services.sh"
  echo "$found"
}

# As the server's user, from a folder that it can enter.
run_pg() {
  local program
  program=$(pg_bin)/$1
  shift
  (cd / && "${as_pg[@]}" "$program" "$@")
}

start_postgres() {
  local tries
  pg_bin >/dev/null
  # The server's user must be able to walk to its data.
  chmod a+x "$dir"
  mkdir -p "$pg"
  if [ "$pg_user" = postgres ]; then chown postgres "$pg"; fi
  if ! "${as_pg[@]}" test -x "$pg"; then
    die "the user $pg_user cannot reach $pg: choose a directory outside of a private home"
  fi
  if [ ! -s "$pg/data/PG_VERSION" ]; then
    run_pg initdb -D "$pg/data" -U app -A trust -E UTF8 --locale=C --no-sync --no-instructions \
      >"$dir/initdb.log" 2>&1 || die "initdb failed: see $dir/initdb.log"
  fi
  if run_pg pg_ctl -D "$pg/data" status >/dev/null 2>&1; then return; fi
  local durability=(-c synchronous_commit=on)
  if [ "$fast" = 1 ]; then
    durability=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)
  fi
  for tries in 1 2 3; do
    if run_pg pg_ctl -s -w -t 60 -D "$pg/data" -l "$pg/server.log" start -o \
      "-c listen_addresses=127.0.0.1 -c port=$(port_of postgres) -c unix_socket_directories= \
       -c max_connections=500 -c shared_buffers=256MB -c max_wal_size=2GB ${durability[*]}" \
      >>"$dir/pg_ctl.log" 2>&1; then
      touch "$dir/postgres.started"
      return
    fi
    [ -e "$dir/postgres.started" ] || forget_port postgres
  done
  tail -n 20 "$pg/server.log" >&2 || true
  die "PostgreSQL did not start; its log is $pg/server.log"
}

end_postgres() {
  [ -s "$pg/data/postmaster.pid" ] || return 0
  run_pg pg_ctl -s -w -t 30 -m fast -D "$pg/data" stop >/dev/null 2>&1 ||
    run_pg pg_ctl -s -w -m immediate -D "$pg/data" stop >/dev/null 2>&1 || true
}

# ------------------------------------------------------------------------------------------------

case $command in
  start)
    fast=0 api=0 only=
    while [ $# -gt 0 ]; do
      case $1 in
        --fast) fast=1 api=1 ;;
        --api) api=1 ;;
        --only) only=${2:-}; shift ;;
        *) usage ;;
      esac
      shift
    done
    touch "$dir/ports"
    if [ "$only" != amqp ]; then start_postgres; fi
    if [ "$only" != postgres ]; then start_amqp; fi
    ;;
  stop)
    if [ -d "$amqp" ]; then end_amqp; fi
    if [ -d "$pg" ]; then end_postgres; fi
    ;;
  kill)
    [ "${1:-}" = amqp ] || usage
    pid=$(read_pid "$amqp/pid")
    if [ -n "$pid" ] && is_ours "$pid" "$amqp"; then kill -9 "$pid"; fi
    rm -f "$amqp/pid"
    ;;
  env)
    if [ -e "$amqp/started" ]; then
      echo "export AMQP_URL='amqp://guest:guest@127.0.0.1:$(port_of amqp)/%2f'"
      echo "export RABBITMQCTL='$amqp/rabbitmqctl'"
      if [ -e "$amqp/api" ]; then echo "export AMQP_API='127.0.0.1:$(port_of api)'"; fi
      echo "export RABBITMQ_PID='$(read_pid "$amqp/pid")'"
    fi
    if [ -e "$dir/postgres.started" ]; then
      echo "export DATABASE_URL='postgres://app@127.0.0.1:$(port_of postgres)/postgres'"
    fi
    ;;
  test-env)
    "$0" env "$dir" | sed -n 's/^export \(AMQP_URL\|AMQP_API\|DATABASE_URL\)=/export TEST_\1=/p'
    # As in .config/nextest.toml: most of these tests wait for somebody else.
    echo "export TEST_REQUIRE_SERVICES=1 NEXTEST_PROFILE=full RUST_TEST_THREADS=4"
    ;;
  rabbitmqctl) exec "$amqp/rabbitmqctl" "$@" ;;
  *) usage ;;
esac
