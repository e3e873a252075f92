#!/usr/bin/env bash
# Installs what the tests need beside Rust, on Debian or Ubuntu, and only what is missing:
# RabbitMQ, the PostgreSQL server programs, a C linker, Python with venv, Node with npm.
# Never starts a system-wide service: the tests run private ones (scripts/services.sh).
set -euo pipefail

wanted=()
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || wanted+=(rabbitmq-server)
command -v pg_ctl >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1 ||
  wanted+=(postgresql)
command -v cc >/dev/null 2>&1 || wanted+=(gcc libc6-dev)
# The official Python SDK drives the simulator in one test.
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || wanted+=(python3 python3-venv)
# So does the official Node SDK.
command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || wanted+=(nodejs npm)

[ "${#wanted[@]}" -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "please install by hand: ${wanted[*]} (there is no apt-get here)" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "please run as root: apt-get install -y --no-install-recommends ${wanted[*]}" >&2
    exit 1
  fi
  as_root=(sudo -n)
fi

# Debian starts a service when its package is installed; a policy file says no. One that is there
# already is put back afterwards.
policy=/usr/sbin/policy-rc.d
kept=$policy.kept-by-test-$$
restore() {
  "${as_root[@]}" rm -f "$policy"
  if [ -e "$kept" ]; then "${as_root[@]}" mv "$kept" "$policy"; fi
}
trap restore EXIT
if [ -e "$policy" ]; then "${as_root[@]}" mv "$policy" "$kept"; fi
printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
"${as_root[@]}" chmod 755 "$policy"

echo "installing: ${wanted[*]}" >&2
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}
apt update >&2
# Without this, the PostgreSQL package makes a cluster that nobody uses.
clusters=/etc/postgresql-common/createcluster.conf
if [[ " ${wanted[*]} " == *" postgresql "* ]] && [ ! -e "$clusters" ]; then
  "${as_root[@]}" mkdir -p "$(dirname "$clusters")"
  echo 'create_main_cluster = false' | "${as_root[@]}" tee "$clusters" >/dev/null
fi
apt install -y --no-install-recommends "${wanted[@]}" >&2
# Nor does it start at the next boot.
if [[ " ${wanted[*]} " == *" rabbitmq-server "* ]] && command -v systemctl >/dev/null 2>&1; then
  "${as_root[@]}" systemctl disable rabbitmq-server >/dev/null 2>&1 || true
fi
