#!/bin/bash
# Makes the instance template of the workers: template.sh PROJECT IMAGE@sha256:DIGEST [NAME]
#
# MACHINE, PROVISIONING (SPOT), BOOT_IMAGE, BOOT_PROJECT and DISK_GB change what it is made of. Templates cannot be
# changed: for another image make one of another name, and tell the server (GPUGEN_GCE_TEMPLATE).
set -euo pipefail

project=${1:?"template.sh PROJECT IMAGE@sha256:DIGEST [NAME]"}
image=${2:?"template.sh PROJECT IMAGE@sha256:DIGEST [NAME]"}
name=${3:-gpugen-worker}
here=$(dirname "${BASH_SOURCE[0]}")
[[ $image == *@sha256:* ]] || { echo "Name the image by its digest: ...@sha256:..." >&2; exit 2; }

# No service account and no scopes: whoever breaks into a worker finds no key to the project.
# How long a machine may live the server says with each request, and what machine, if GPUGEN_GCE_MACHINES is set.
gcloud --project="$project" compute instance-templates create "$name" \
  --machine-type="${MACHINE:-g2-standard-8}" --provisioning-model="${PROVISIONING:-STANDARD}" \
  --image-family="${BOOT_IMAGE:-common-cu129-ubuntu-2204-nvidia-580}" \
  --image-project="${BOOT_PROJECT:-deeplearning-platform-release}" \
  --boot-disk-size="${DISK_GB:-100}GB" --boot-disk-type=pd-balanced --boot-disk-auto-delete \
  --network=gpugen --no-service-account --no-scopes \
  --maintenance-policy=TERMINATE --no-restart-on-failure --shielded-vtpm --shielded-integrity-monitoring \
  --labels=gpugen-template="$name" \
  --metadata="^|^gpugen-image=$image|block-project-ssh-keys=true|serial-port-logging-enable=true" \
  --metadata-from-file="startup-script=$here/startup.sh"
