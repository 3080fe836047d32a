#!/bin/bash
# The whole life of a GPU worker on Compute Engine: run at every boot by Google's guest agent, output on the
# serial console. However it ends, the machine is powered off, for a machine without a worker only costs money.
#
# From the metadata: gpugen-image (template.sh puts it there), gpugen-url, gpugen-token (good for one worker),
# gpugen-idle-exit (seconds), and if need be gpugen-models (names with commas between them).
set -euo pipefail

metadata="http://${GCE_METADATA_HOST:-metadata.google.internal}/computeMetadata/v1/instance"
run="${GPUGEN_RUN:-/run/gpugen}"        # in memory: the token is never on the disk
cache="${GPUGEN_CACHE:-/var/lib/gpugen}" # on the disk: weights stay while the disk does
patience="${GPUGEN_PATIENCE:-300}"       # seconds that each thing the worker needs may take to come up

say() { echo "gpugen: $*"; }

leave() {
  local code=$?
  trap '' TERM INT HUP # nothing cuts this off
  say "ended with code $code, powering off"
  poweroff || poweroff --force
}
trap leave EXIT
trap 'exit 143' TERM INT HUP

of_machine() { # of_machine NAME: what the metadata says of it; nothing if that is nothing
  curl --silent --fail --max-time 20 --retry 5 --retry-connrefused --header 'Metadata-Flavor: Google' \
    "$metadata/attributes/$1" || true
}

needed() { # needed NAME VALUE
  [[ -n $2 ]] || { say "the metadata lack $1"; exit 2; }
}

within() { # within SECONDS WHAT COMMAND...: try until it succeeds
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >"$run/last" 2>&1; do
    ((SECONDS < deadline)) || { say "$what did not come up: $(tail -n 1 "$run/last")"; exit 4; }
    sleep 1
  done
}

mkdir -p "$run" "$cache"
url=$(of_machine gpugen-url)
image=$(of_machine gpugen-image)
idle=$(of_machine gpugen-idle-exit)
models=$(of_machine gpugen-models)
needed gpugen-url "$url"
needed gpugen-image "$image"
[[ $image == *@sha256:* ]] || { say "$image is not named by its digest"; exit 2; }

(umask 077 && of_machine gpugen-token >"$run/token")
[[ -s $run/token ]] || needed gpugen-token ""
chown 10001 "$run/token" "$cache" # the container's user

within "$patience" "the GPU's driver" nvidia-smi -L
within "$patience" docker docker info
say "image $image"
docker image inspect "$image" >/dev/null 2>&1 || timeout 900 docker pull --quiet "$image"
within "$patience" "$url" curl --silent --fail --max-time 10 "$url/healthz"

docker rm --force gpugen >/dev/null 2>&1 || true # of a boot that was cut off
say "the worker starts"
docker run --rm --init --name gpugen --gpus all --stop-timeout 25 \
  --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --log-driver none \
  --volume "$cache:/data" --volume "$run/token:/run/secrets/gpugen-token:ro" \
  --env GPUGEN_URL="$url" --env GPUGEN_ONLY_MODELS="$models" \
  --env GCE_METADATA_HOST="${GCE_METADATA_HOST:-metadata.google.internal}" \
  "$image" worker --token-file /run/secrets/gpugen-token --idle-exit "${idle:-10m}" --name "$HOSTNAME"
