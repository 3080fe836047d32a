#!/bin/bash
# Makes a project ready: setup.sh PROJECT [REGION]. Can be run again. teardown.sh removes all of it.
set -euo pipefail

project=${1:?"setup.sh PROJECT [REGION]"}
region=${2:-us-central1}
here=$(dirname "${BASH_SOURCE[0]}")
account="gpugen-server@$project.iam.gserviceaccount.com"

g() { gcloud --project="$project" --quiet "$@"; }
missing() { ! g "$@" >/dev/null 2>&1; }

g services enable compute.googleapis.com artifactregistry.googleapis.com iam.googleapis.com

# A network of its own without any firewall rule: nobody can connect to a worker, it only calls out.
missing compute networks describe gpugen && g compute networks create gpugen --subnet-mode=auto

g iam roles undelete gpugenServer >/dev/null 2>&1 || true # deleted roles keep their name for a week
missing iam roles describe gpugenServer && verb=create || verb=update
g iam roles "$verb" gpugenServer --file="$here/server-role.yaml"
missing iam service-accounts describe "$account" &&
  g iam service-accounts create gpugen-server --display-name="gpugen server"
g projects add-iam-policy-binding "$project" --member="serviceAccount:$account" \
  --role="projects/$project/roles/gpugenServer" --condition=None >/dev/null

# Workers pull the image without an account: it holds nothing that is not published anyway.
missing artifacts repositories describe gpugen --location="$region" &&
  g artifacts repositories create gpugen --location="$region" --repository-format=docker
g artifacts repositories add-iam-policy-binding gpugen --location="$region" \
  --member=allUsers --role=roles/artifactregistry.reader >/dev/null

echo "Ready. The server runs as $account; images go to $region-docker.pkg.dev/$project/gpugen"
