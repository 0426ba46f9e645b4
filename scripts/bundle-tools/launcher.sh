#!/bin/sh
# Starts the callgate that was built for this machine: a bundle's manifest can tell Linux from macOS, but not one
# processor from another.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
case $(uname -m) in
  x86_64 | amd64) arch=x86_64 ;;
  aarch64 | arm64) arch=aarch64 ;;
  *) arch=$(uname -m) ;;
esac
binary=$here/callgate-linux-$arch
if [ ! -x "$binary" ]; then
  echo "callgate: this bundle has no build for Linux on $arch; install the bundle made for it" >&2
  exit 1
fi
exec "$binary" "$@"
