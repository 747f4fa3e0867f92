#!/usr/bin/env bash
# nats-servers.sh FOLDER [SUITE...]: unpacks nats-server of other Debian suites (default: trixie, sid) below FOLDER and prints
# the path of each, and of the installed one before them, with `:` between: a value for NATS_SERVERS.
# The machine's own apt is left as it is: each suite has lists and a source of its own. The mirror is the machine's.
set -euo pipefail
folder="$1"
shift
[ "$#" -gt 0 ] || set -- trixie sid

mirror() {
  local found
  found="$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)"
  [ -n "$found" ] || found="$(sed -n 's/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' /etc/apt/sources.list | head -1)"
  printf '%s\n' "$found"
}

# unpack SUITE: leaves usr/sbin/nats-server below FOLDER/SUITE.
unpack() {
  local place="$folder/$1" apt
  apt="$place/apt"
  mkdir -p "$apt/lists/partial" "$apt/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $1 main" >"$apt/sources.list"
  local options=(
    -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache::archives=$apt/archives"
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root
  )
  apt-get "${options[@]}" -qq update >&2
  (cd "$place" && apt-get "${options[@]}" -qq download nats-server >&2 && dpkg -x nats-server_*.deb . && rm -rf apt)
}

servers="$(command -v nats-server || echo /usr/sbin/nats-server)"
mkdir -p "$folder"
folder="$(cd "$folder" && pwd)"
for suite in "$@"; do
  unpack "$suite"
  servers="$servers:$folder/$suite/usr/sbin/nats-server"
done
printf '%s\n' "$servers"
