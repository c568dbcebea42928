#!/bin/sh
# Build the two images with buildah, on a base that is made of Debian's packages, where no registry can be reached.
#   apt-get install buildah podman debootstrap      then, as root: sh deploy/docker/build_on_debian.sh [service|training]…
set -eu
cd "$(dirname "$0")/../.."
base=docker.io/library/python:3.11-slim

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  root=$(mktemp -d)
  mirror=$(apt-cache policy python3 | grep -oE 'https?://[^ ]+' | head -n 1)
  # Python 3.11 is the one of Debian 12.
  debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm "$root" "$mirror"
  ln -sf /usr/bin/python3 "$root/usr/local/bin/python"
  rm -f "$root"/var/cache/apt/archives/*.deb
  tar -C "$root" -c . | podman import - "$base"
  rm -rf "$root"
fi

# In a chroot: crun does not run on machines whose control groups are of both versions.
for image in "${@:-service training}"; do
  for one in $image; do
    buildah build --layers --pull=never --isolation chroot --network host --format docker \
      --volume /etc/ssl/certs:/etc/ssl/certs:ro --file "deploy/docker/$one.Dockerfile" --tag "almanac-$one" .
  done
done
