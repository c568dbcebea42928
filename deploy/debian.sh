#!/usr/bin/env bash
# Install, from Debian's packages, the programs that the system tests run together with Almanac; with `clients`, also R and
# a library that changes the clock.
set -euo pipefail

declare -A package_of=(
  [prometheus]=prometheus [promtool]=prometheus [amtool]=prometheus-alertmanager
  [nginx]=nginx [chromium]=chromium [wrk]=wrk [bwrap]=bubblewrap [wget]=wget
  [node]=nodejs [curl]=curl
)
if [ "${1:-}" = clients ]; then
  package_of[Rscript]="r-base-core r-cran-httr2 r-cran-jsonlite"
fi
export PATH="$PATH:/usr/sbin:/sbin"

missing=()
for program in "${!package_of[@]}"; do
  command -v "$program" >/dev/null || missing+=(${package_of[$program]})
done
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
if [ "${1:-}" = clients ]; then
  compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=(libfaketime)
fi

if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo)
fi
echo "test-system: installing ${missing[*]} …"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
