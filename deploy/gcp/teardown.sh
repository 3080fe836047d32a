#!/bin/bash
# Removes what setup.sh and template.sh made, the machines first: teardown.sh PROJECT [REGION]
# Stop the server before, or it starts machines again. Buckets are left alone: they hold the users' images.
set -uo pipefail

project=${1:?"teardown.sh PROJECT [REGION]"}
region=${2:-us-central1}
account="gpugen-server@$project.iam.gserviceaccount.com"
failed=0

g() { gcloud --project="$project" --quiet "$@"; }
gone() { g "$@" || failed=1; } # go on: what comes after may be removed all the same

while read -r name zone; do
  gone compute instances delete "$name" --zone="$zone"
done < <(g compute instances list --filter='labels.gpugen:*' --format='value(name,zone.basename())')
while read -r name; do
  gone compute instance-templates delete "$name"
done < <(g compute instance-templates list --filter='properties.labels.gpugen-template:*' --format='value(name)')
while read -r name; do
  gone compute images delete "$name"
done < <(g compute images list --no-standard-images --filter='family=gpugen-worker' --format='value(name)')
gone artifacts repositories delete gpugen --location="$region"
gone projects remove-iam-policy-binding "$project" --member="serviceAccount:$account" \
  --role="projects/$project/roles/gpugenServer" --condition=None
gone iam service-accounts delete "$account"
gone iam roles delete gpugenServer
gone compute networks delete gpugen

echo "What is left and costs money, if anything:"
g compute instances list
g compute disks list
exit "$failed"
