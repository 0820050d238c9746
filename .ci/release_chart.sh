#!/usr/bin/env bash
# Package the chart for a release: version, AIRFLOW (the image that was pushed, by its digest), folder for the package. The chart in
# the repository goes on naming tags; the packaged one names images by their digests.
set -euo pipefail
version=$1 airflow=$2 folder=$3
cd "$(dirname "$0")/.."

for image in "$airflow" "$(python3 .ci/base_images.py get helm/values.yaml:postgres.image)"; do
	[[ $image =~ ^[^@[:space:]]+@sha256:[0-9a-f]{64}$ ]] || { echo "$image has no digest" >&2; exit 1; }
done
postgres=$(python3 .ci/base_images.py get helm/values.yaml:postgres.image)
chart=$(mktemp -d)
trap 'rm -rf "$chart"' EXIT
cp -r helm "$chart/stream-factory"
sed -i -E \
	-e "s|^(  image: )airflow-stream-factory/airflow:.*|\1$airflow|" \
	-e "s|^(  image: )postgres:.*|\1$postgres|" "$chart/stream-factory/values.yaml"
if grep -E '^ +image: ' "$chart/stream-factory/values.yaml" | grep -vE '@sha256:[0-9a-f]{64}$'; then
	echo "the chart's values name these images without a digest" >&2
	exit 1
fi
"${HELM:-helm}" package "$chart/stream-factory" --version "$version" --app-version "$version" --destination "$folder"
