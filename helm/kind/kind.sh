#!/usr/bin/env bash
# The MVP on kind, in ten minutes: two platforms, an Airflow, a PostgreSQL and changing data. docs/kind.md describes it.
#
#   helm/kind/kind.sh            all of it, from the cluster to the first merges
#   helm/kind/kind.sh files      only write what is installed, into FOLDER
#   helm/kind/kind.sh install    install it in the cluster that kubectl uses, whose nodes have the images
#   helm/kind/kind.sh check      wait for the first merges, and show how the streams are
#   helm/kind/kind.sh delete     delete the cluster
#
# FOLDER (kind-files), CLUSTER (stream-factory), DAGFACTORY (the command) and MINUTES (10, to wait) can be set.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=${FOLDER:-kind-files}
cluster=${CLUSTER:-stream-factory}
dagfactory=${DAGFACTORY:-dagfactory}
minutes=${MINUTES:-10}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
merge_job=airflow-stream-factory/merge-job:$version
airflow=airflow-stream-factory/airflow:$version
platforms=(yellowlive yellowforensic)

step() { printf '\n== %s\n' "$*"; }

needs() {
	for program in "$@"; do
		command -v "$program" > /dev/null || { echo "$program is not installed, or not in PATH" >&2; exit 1; }
	done
}

images() {
	step "two images: $merge_job, $airflow"
	make image
	docker build -f helm/airflow.Dockerfile -t "$airflow" .
}

create() {
	step "a cluster: $cluster"
	kind get clusters | grep -qxF "$cluster" || kind create cluster --name "$cluster" --wait 2m
	# Without a registry the nodes have what is loaded here, and no pod may pull it: its tag is a version's.
	kind load docker-image --name "$cluster" "$merge_job" "$airflow"
	kubectl config use-context "kind-$cluster"
}

files() {
	step "the model and the platforms' files, in $folder"
	[ -d "$folder/model" ] || model
	"$dagfactory" validate "$folder/model"
	"$dagfactory" bootstrap --model "$folder/model" --out "$folder/platform"
}

model() {
	mkdir -p "$folder/model"
	cp config_schema/examples/dsg_platform_mapping.json "$folder/model/"
	sed -E \
		-e "s|host: pg-data|host: stream-factory-postgres.airflow|" \
		-e "s|^( *)image: .*|\1image: $merge_job\n\1streams: {service_account: merge-job}|" \
		-e "s|url: https://git.example/.*|url: http://model.git:8080/model.git|" \
		-e "/credential: git$/d" config_schema/examples/ecosystem.yaml > "$folder/model/ecosystem.yaml"
	git -C "$folder/model" init --quiet --initial-branch=main
	git -C "$folder/model" add .
	git -C "$folder/model" -c user.name=kind -c user.email=kind@localhost commit --quiet --message "The example, for kind"
}

install() {
	step "the model's repository, in the cluster"
	git -C "$folder/model" bundle create --quiet ../model.bundle main HEAD
	kubectl create namespace git --dry-run=client --output yaml | kubectl apply -f -
	kubectl --namespace git create configmap model --from-file="$folder/model.bundle" \
		--from-file=helm/kind/git_server.py --dry-run=client --output yaml | kubectl apply -f -
	kubectl apply -f helm/kind/git-server.yaml
	kubectl --namespace git rollout restart deployment/model
	kubectl --namespace git rollout status deployment/model --timeout "${minutes}m"

	step "the chart"
	helm upgrade --install stream-factory helm/ --namespace airflow --create-namespace \
		--values "$folder/platform/kubernetes/yellowlive.values.yaml" \
		--values "$folder/platform/kubernetes/yellowforensic.values.yaml" \
		--values helm/mvp-values.yaml --wait --timeout "${minutes}m"

	step "the first sync, without waiting for its schedule"
	for platform in "${platforms[@]}"; do
		job="sync-$(date +%s)"
		kubectl --namespace "$(namespace "$platform")" create job --from="cronjob/stream-factory-sync-$platform" "$job"
		kubectl --namespace "$(namespace "$platform")" wait --for=condition=complete "job/$job" --timeout "${minutes}m"
	done
}

namespace() { echo "ns-yellow-${1#yellow}"; }

in_scheduler() { kubectl --namespace airflow exec deployment/stream-factory-scheduler -- "$@"; }

check() {
	step "the first merges"
	give_up=$((SECONDS + minutes * 60))
	for platform in "${platforms[@]}"; do
		until in_scheduler dagfactory status --platform "$platform" --json 2> /dev/null | grep -q '"last_batch": [1-9]'; do
			if [ "$SECONDS" -gt "$give_up" ]; then
				echo "$platform has merged nothing in $minutes minutes. Its pods, and what happened to them:" >&2
				kubectl --namespace "$(namespace "$platform")" get pods,events >&2
				exit 1
			fi
			sleep 5
		done
	done
	in_scheduler dagfactory status
	helm --namespace airflow get notes stream-factory
}

case ${1:-all} in
	all)
		needs docker kind kubectl helm git make "$dagfactory"
		images
		create
		files
		install
		check
		;;
	files) needs git "$dagfactory" && files ;;
	install) needs kubectl helm && install ;;
	check) needs kubectl helm && check ;;
	delete) needs kind && kind delete cluster --name "$cluster" ;;
	*) sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
esac
