# Slipway's targets: `make help` lists them. The names are kubebuilder's where kubebuilder has the target.

IMG ?= slipway:latest
# What the image's manager says that it is. Other builds know it from Go, which writes the commit down.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
CONTAINER_TOOL ?= docker
KUBECTL ?= kubectl
GO ?= go

# One shell for all lines of a recipe, which ends at the first that fails.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first line of a recipe: says at its end, however it ends, how long it took.
TIMED = trap 'echo "make $@: $$((SECONDS / 60)).$$((SECONDS % 60 / 6)) min"' EXIT

# Packages of ours, for the compiler's output: a line for every hundred packages that it compiled.
PROGRESS = awk -f hack/progress.awk

# Every answer of the local AWS is judged by AWS's own models where they are at hand.
MODELS = LOCALAWS_MODELS=$$(hack/aws-models.sh); export LOCALAWS_MODELS

##@ General

.PHONY: help
help: ## Say what there is.
	@awk 'BEGIN {FS = ":.*##"; printf "Usage: make \033[36mTARGET\033[0m\n"} \
		/^[a-zA-Z_-]+:.*?##/ {printf "  \033[36m%-14s\033[0m %s\n", $$1, $$2} \
		/^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)}' $(firstword $(MAKEFILE_LIST))

.PHONY: machine
machine:
	@hack/check-machine.sh

##@ Development

# Not in hack/tools: its own go.mod pins what it is made from, and Go keeps the program that it built.
API_DOCS = $(GO) run github.com/elastic/crd-ref-docs@v0.3.0 --config=hack/api-docs/config.yaml --templates-dir=hack/api-docs \
	--source-path=api/v1alpha1 --renderer=markdown --log-level=WARN

.PHONY: generate
generate: bin/controller-gen ## Write DeepCopy methods, the references of API and command line, and the files that `go generate` makes.
	@$(TIMED)
	bin/controller-gen object paths=./api/...
	$(API_DOCS) --output-path=docs/api.md
	$(GO) generate ./...
	$(GO) test -count=1 ./cmd/kubectl-slipway -run '^TestReference$$' -reference

.PHONY: manifests
manifests: bin/controller-gen ## Write the CustomResourceDefinitions and the ClusterRole from the markers in the code, and the chart from config/.
	@$(TIMED)
	bin/controller-gen crd rbac:roleName=manager-role paths=./api/... paths=./controllers/... \
		output:crd:dir=config/crd/bases output:rbac:dir=config/rbac
	$(GO) run ./hack/chart charts/slipway/templates

.PHONY: generate-into
generate-into: bin/controller-gen
	@bin/controller-gen object crd rbac:roleName=manager-role paths=./api/... paths=./controllers/... \
		output:object:dir=$(DIR)/object output:crd:dir=$(DIR)/crd output:rbac:dir=$(DIR)/rbac
	$(GO) run ./hack/chart $(DIR)/templates
	$(API_DOCS) --output-path=$(DIR)/api.md

.PHONY: fmt
fmt: bin/golangci-lint ## Format the code.
	@$(TIMED)
	bin/golangci-lint fmt ./...

.PHONY: vet
vet: machine ## Run go vet.
	@$(TIMED)
	$(GO) vet ./...

.PHONY: lint
lint: machine bin/golangci-lint ## Run golangci-lint with the house limits.
	@$(TIMED)
	bin/golangci-lint run ./...

.PHONY: verify
verify: machine bin/controller-gen bin/golangci-lint ## Check all that can be checked without running: generated files, format, vet, lint, imports, go.mod.
	@$(TIMED)
	echo "verify: generated files"; hack/verify-generated.sh
	echo "verify: gofmt"; unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted, run 'make fmt':"; echo "$$unformatted"; exit 1; }
	echo "verify: go.mod and go.sum"; for dir in . cmd/slipway-notifications hack/controlplane hack/tools test/chart test/prometheus; do $(GO) -C $$dir mod tidy -diff; done
	echo "verify: who imports whom"; hack/verify-imports.sh
	echo "verify: no test sleeps"; hack/verify-sleep.sh
	echo "verify: claims about AWS"; $(GO) run ./hack/claims -check
	echo "verify: the bugs of the bank apply"; $(GO) run ./hack/bugbank -check
	echo "verify: go vet"; $(GO) vet -tags awscli,bench ./...
	echo "verify: golangci-lint"; bin/golangci-lint run ./...
	cd test/chart && $(GO) vet . && ../../bin/golangci-lint run --config ../../.golangci.yaml .

##@ Tests

# All scenarios, by two processes with an API server each: one alone waits for its API server half of the time. GOGC is for the API
# servers above all, which spend a fifth of their time on collecting garbage without it.
SCENARIOS = GOGC=400 $(GO) run github.com/onsi/ginkgo/v2/ginkgo --procs=2 --timeout=60m --no-color ./test/e2e -- -test.run='^TestScenarios$$'

LONGEST = ./cmd/kubectl-slipway ./test/e2e ./test/argocd ./internal/localaws ./test/safety ./test/install

.PHONY: test
test: machine ## Run every test, with the race detector (of the scenarios some; all of them without it).
	@$(TIMED)
	KUBEBUILDER_ASSETS=$$($(GO) run ./hack/assets)
	export KUBEBUILDER_ASSETS
	$(MODELS)
	echo "test: compiling with the race detector, minutes the first time"
	$(GO) build -race -v ./... 2>&1 | $(PROGRESS)
	# Packages wait for servers and clocks for a part of their time; those that take minutes begin first, or the last one runs alone.
	GOGC=400 $(GO) test -race -shuffle=on -p 4 -timeout 60m $(LONGEST) ./...
	echo "test: all scenarios once more without it, on two API servers and beside that on a harsh AWS"
	$(GO) test -timeout 60m -skip '^TestScenarios$$' ./test/e2e & harsh=$$!
	failed=; $(SCENARIOS) || failed=1
	wait $$harsh || failed=1
	[ -z "$$failed" ]
	echo "test: the Helm chart, by Helm itself"
	$(GO) -C test/chart test -timeout 20m .

# A module of its own, with Helm in it.
.PHONY: test-chart
test-chart: machine ## Test the Helm chart by Helm itself: rendered, compared with config/, installed, upgraded and uninstalled.
	@$(TIMED)
	$(MODELS)
	KUBEBUILDER_ASSETS=$$($(GO) run ./hack/assets)
	export KUBEBUILDER_ASSETS
	$(GO) -C test/chart test -count=1 -timeout 20m .

.PHONY: test-rules
test-rules: machine ## Test the alert rules with promtool, the queries of the dashboard, and the notifications program: modules of their own.
	@$(TIMED)
	hack/check-tools.sh promtool=prometheus
	$(GO) -C test/prometheus test -count=1 .
	$(GO) -C cmd/slipway-notifications test -count=1 .

.PHONY: test-awscli
test-awscli: machine ## Drive the local AWS with the aws command line: every operation, wait, paging and errors.
	@$(TIMED)
	hack/check-tools.sh aws=awscli
	$(MODELS)
	$(GO) test -tags awscli -count=1 -parallel 2 ./test/awscli

# Thousands of small worlds, one after the other: with GOGC=1600, with stacks that begin as large as most become, and without AWS's models, by
# which `make test` judges the same calls. Worlds in real time are a target of their own.
SAFETY_REPORT = $(CURDIR)/out/safety.json
SAFETY_PATHS = $(dir $(SAFETY_REPORT))paths.json
SAFETY_CORE = $(GO) test -count=1 -run TestExplore ./internal/rollout -rollout.report=$(SAFETY_REPORT)
SAFETY = GOGC=1600 GOMEMLIMIT=6GiB GODEBUG=adaptivestackstart=1 $(GO) test -count=1 -timeout 12h -skip TestReal ./test/safety -safety.report=$(SAFETY_REPORT)

.PHONY: safety
safety: machine ## Kill the manager at every call, let every call go wrong, and live at random; writes out/safety.json.
	@$(TIMED)
	rm -f $(SAFETY_REPORT)
	# The worlds leave a seventh of two processors to what is beside them.
	$(SAFETY) & worlds=$$!
	failed=
	echo "safety: every state of small worlds around the core"
	$(SAFETY_CORE) || failed=1
	echo "safety: bugs that are put into the product"
	$(GO) run ./hack/bugbank -gate -report=$(SAFETY_REPORT) || failed=1
	wait $$worlds || failed=1
	[ -z "$$failed" ]

# The leader is killed each KILL; the rest of it is less than half a core, for edits every few seconds over all Releases.
FOR ?= 1h
KILL ?= 10m
SOAK ?= -soak.pace=2s -soak.sample=15s -soak.warmup=2m -soak.releases=12

.PHONY: soak
soak: machine ## Random deploys for FOR=1h on real processes, with faults and leader kills; writes out/soak.json. Ctrl-C ends it.
	@$(TIMED)
	$(MODELS)
	KUBEBUILDER_ASSETS=$$($(GO) run ./hack/assets)
	export KUBEBUILDER_ASSETS
	$(GO) test -count=1 -timeout 0 -v -run 'TestRealSoak$$' ./test/safety -soak.for=$(FOR) -soak.kill=$(KILL) -soak.seed=$(or $(SEED),0) $(SOAK) \
		-soak.report=$(CURDIR)/out/soak.json

BUDGET ?= 2h

.PHONY: safety-deep
safety-deep: machine ## The same for all scenarios and phases, as far as BUDGET=2h reaches, with the whole bug bank beside it.
	@$(TIMED)
	mkdir -p $(dir $(SAFETY_REPORT)) && rm -f $(SAFETY_REPORT) $(SAFETY_PATHS)
	failed=
	echo "safety-deep: paths of the core are drawn"
	$(GO) test -count=1 ./internal/rollout -run TestPaths -rollout.paths=$(SAFETY_PATHS) -rollout.pathcount=1100 || failed="$$failed paths"
	$(SAFETY) -safety.deep -safety.budget=$(BUDGET) -safety.paths=$(SAFETY_PATHS) -safety.pathcount=1000 & worlds=$$!
	echo "safety-deep: every state of small worlds around the core"
	$(SAFETY_CORE) || failed="$$failed exploration"
	echo "safety-deep: bugs that are put into the product"
	($(MODELS); $(GO) run ./hack/bugbank -report=$(SAFETY_REPORT)) || failed="$$failed bugbank"
	wait $$worlds || failed="$$failed worlds"
	[ -z "$$failed" ] || { echo "safety-deep: these failed:$$failed"; exit 1; }

# Worlds at a time: they wait for clocks most of it, and twenty take about one processor.
TOGETHER ?= 20

.PHONY: safety-real
safety-real: machine ## The manager as a process, on a real API server, in real time: killed, frozen, parted; adds to out/safety.json.
	@$(TIMED)
	$(MODELS)
	KUBEBUILDER_ASSETS=$$($(GO) run ./hack/assets)
	export KUBEBUILDER_ASSETS
	GOGC=400 $(GO) test -count=1 -timeout 12h -parallel 100 -run 'TestReal(Handover|CrashPoints)' ./test/safety \
		-safety.real -safety.together=$(TOGETHER) -safety.budget=$(BUDGET) -safety.report=$(CURDIR)/out/safety.json

# The version to come from; by default the last tag, or without one the commit of a day ago.
FROM ?=

.PHONY: test-upgrade
test-upgrade: machine ## Replace the manager of a version, FROM=TAG, by this one, and back, as processes, in each step of a deploy.
	@$(TIMED)
	from=$(FROM)
	[ -n "$$from" ] || from=$$(git describe --tags --abbrev=0 HEAD^ 2>/dev/null || git rev-list -1 --before=1.day HEAD)
	[ -n "$$from" ] || { echo "test-upgrade: no tag, and no commit that is a day old: name the version to come from, FROM=COMMIT"; exit 1; }
	[ "$$(git rev-parse "$$from^{commit}")" != "$$(git rev-parse HEAD)" ] || { echo "test-upgrade: $$from is this version: name another, FROM=COMMIT"; exit 1; }
	former=$$(mktemp -d)
	trap 'rm -rf "$$former"; echo "make $@: $$((SECONDS / 60)).$$((SECONDS % 60 / 6)) min"' EXIT
	git archive "$$from" | tar -x -C "$$former"
	echo "test-upgrade: from $$(git describe --always --tags "$$from")"
	$(GO) build -C "$$former" -buildvcs=false -o "$$former/manager.bin" .
	$(MODELS)
	KUBEBUILDER_ASSETS=$$($(GO) run ./hack/assets)
	export KUBEBUILDER_ASSETS
	GOGC=400 $(GO) test -count=1 -timeout 1h -parallel 100 -run 'TestRealUpgrade$$' ./test/safety -safety.together=8 \
		-safety.former="$$former/manager.bin"

.PHONY: repro
repro: machine ## Play one run of make safety or safety-real again that failed, with its calls: SEED='crash/…'.
	@$(MODELS)
	$(GO) test -count=1 -v -run TestRepro ./test/safety -safety.repro='$(SEED)'

# On one processor each ended within five minutes so far: docs/safety.md.
WORLD ?= 30m

.PHONY: explore
explore: machine ## Search the large worlds around the core, each to its end or for WORLD=30m; writes out/explore.json.
	@$(TIMED)
	$(GO) test -count=1 -timeout 12h -v -run 'TestExplore$$' ./internal/rollout -rollout.explore=large -rollout.most=$(WORLD) \
		-rollout.report=$(CURDIR)/out/explore.json

.PHONY: bugbank
bugbank: machine ## Put the bugs of test/safety/bugs into the product, one after the other, and see tests fail; writes out/bugbank.json.
	@$(TIMED)
	$(MODELS)
	$(GO) run ./hack/bugbank

# One after the other, for each takes the whole machine. safety-deep begins out/safety.json, and safety-real adds to it.
NIGHTLY = nightly-worlds explore nightly-kubestore nightly-race nightly-e2e fuzz bugbank claims e2e-matrix safety-deep safety-real test-upgrade soak bench

.PHONY: nightly
nightly: machine ## Run all that takes long, one after the other: 8 hours of FUZZTIME (each target), BUDGET (twice) and FOR, and hours for the rest.
	@$(TIMED)
	failed=
	for part in $(NIGHTLY); do
		echo "nightly: $$part"
		$(MAKE) $$part || failed="$$failed $$part"
	done
	[ -z "$$failed" ] || { echo "nightly: these failed:$$failed"; exit 1; }

.PHONY: nightly-worlds
nightly-worlds: machine
	@$(TIMED)
	$(GO) test -timeout 4h ./internal/rollout/... -rapid.checks=100000

.PHONY: nightly-kubestore
nightly-kubestore: machine
	@$(TIMED)
	KUBEBUILDER_ASSETS=$$($(GO) run ./hack/assets)
	export KUBEBUILDER_ASSETS
	failed=
	for seed in 1 2 3; do
		$(GO) test -count=1 -timeout 1h ./test/kubestore -kubestore.operations 10000 -kubestore.seed $$seed || failed="$$failed $$seed"
	done
	[ -z "$$failed" ] || { echo "nightly-kubestore: these seeds failed:$$failed"; exit 1; }

.PHONY: nightly-race
nightly-race: machine
	@$(TIMED)
	KUBEBUILDER_ASSETS=$$($(GO) run ./hack/assets)
	export KUBEBUILDER_ASSETS
	$(MODELS)
	$(GO) test -race -shuffle=on -p 1 -count=10 -timeout 6h ./controllers/... $$($(GO) list ./test/... | grep -v /test/e2e)

.PHONY: nightly-e2e
nightly-e2e: machine
	@$(TIMED)
	KUBEBUILDER_ASSETS=$$($(GO) run ./hack/assets)
	export KUBEBUILDER_ASSETS
	$(MODELS)
	$(GO) test -race -count=10 -timeout 12h ./test/e2e -e2e.all

.PHONY: docs
docs: ## Build the site of docs/ into docs/.vitepress/dist; SOURCE_URL is where its links to other files lead. Needs node and npm.
	@$(TIMED)
	hack/check-tools.sh node=nodejs npm=npm
	npm --prefix docs ci --no-audit --no-fund --loglevel=error
	npm --prefix docs run build

.PHONY: e2e-matrix
e2e-matrix: machine ## Play the scenarios under AWS's knobs, each two in all positions: half an hour and more.
	@$(TIMED)
	$(MODELS)
	# Row by row, so that each is told when it ends: the whole takes hours on a busy machine.
	failed=
	for row in plain $$(seq -f 'row_%.0f' 0 9); do
		$(GO) test -count=1 -run "TestTempers/^$$row$$" -timeout 2h ./test/e2e -e2e.matrix || failed="$$failed $$row"
		echo "e2e-matrix: $$row after $$((SECONDS / 60)) min"
	done
	[ -z "$$failed" ] || { echo "e2e-matrix: these rows failed:$$failed"; exit 1; }

# Not judged by AWS's models: a test has to see for itself what was switched off.
.PHONY: claims
claims: machine ## Switch off what the local AWS simulates, one after the other, and see the tests of docs/local-aws.md fail; writes out/claims.json.
	@$(TIMED)
	$(GO) run ./hack/claims

# At most 15 minutes on 2 cores: fewer servers, seeds and Releases than the targets after it, of which each has one part. What is measured
# in real time runs beside what is played in virtual time.
.PHONY: bench
bench: machine ## Measure all that docs/performance.md is about, on a small scale; writes out/bench.json.
	@$(TIMED)
	$(MAKE) bench-steady & steady=$$!
	failed=; $(GO) test -tags bench -count=1 -timeout 4h -run 'TestSwitch/cells/.*,_(3|30)_servers' ./test/bench -bench.seeds=3 || failed=1
	$(MAKE) bench-storm STORM=100 || failed=1
	$(MAKE) bench-traffic || failed=1
	$(MAKE) bench-passes || failed=1
	wait $$steady || failed=1
	[ -z "$$failed" ]
	$(GO) test -tags bench -count=1 -run TestSum -v ./test/bench

.PHONY: bench-switch
bench-switch: machine ## Compare promotions and rollbacks with the Rakefile and with AWS's own bound, in virtual time; writes out/bench-switch.json.
	@$(TIMED)
	$(GO) test -tags bench -count=1 -timeout 4h -run TestSwitch ./test/bench -bench.seeds=$(or $(SEEDS),10)

RELEASES ?= 1,100
# How many servers each has: one number, or as many as RELEASES names worlds.
SERVERS ?= 10

.PHONY: bench-steady
bench-steady: machine ## Measure what RELEASES=1,100 Releases of SERVERS=10 at rest cost, in real time, for five minutes each, a cold start and a fail-over; writes out/bench-steady.json.
	@$(TIMED)
	KUBEBUILDER_ASSETS=$$($(GO) run ./hack/assets)
	export KUBEBUILDER_ASSETS
	$(GO) test -tags bench -count=1 -timeout 4h -run TestSteady -v ./test/bench -bench.releases=$(RELEASES) -bench.servers=$(SERVERS)

.PHONY: bench-traffic
bench-traffic: machine ## Promote and roll back three cells in real time under 1,000 requests a second; writes out/bench-traffic.json.
	@$(TIMED)
	KUBEBUILDER_ASSETS=$$($(GO) run ./hack/assets)
	export KUBEBUILDER_ASSETS
	$(GO) test -tags bench -count=1 -timeout 1h -run TestTraffic -v ./test/bench

.PHONY: bench-passes
bench-passes: machine ## Measure a pass over a Release at rest, and what a pass decides, by Go's benchmarks; writes out/bench-passes.json.
	@$(TIMED)
	$(GO) test -tags bench -count=1 -timeout 30m -run TestPasses -v ./test/bench

STORM ?= 1000

.PHONY: bench-storm
bench-storm: machine ## Let STORM=1000 Releases deploy at once from nothing, and as many be promoted at once with one that is taken back amid them, under AWS's limits, in virtual time; writes out/bench-storm.json.
	@$(TIMED)
	$(GO) test -tags bench -count=1 -timeout 4h -run TestStorm -v ./test/bench -bench.storm=$(STORM)

.PHONY: bench-localaws
bench-localaws: machine ## Measure the local AWS; writes out/localaws.json.
	@$(TIMED)
	GOGC=400 $(GO) test -tags bench -count=1 -timeout 20m -run TestLocalAWS -v ./test/bench

# What a run finds is kept in testdata/fuzz, and replayed by make test.
FUZZTIME ?= 10m

.PHONY: fuzz
fuzz: machine ## Give every parser of foreign input whatever comes to mind, ours and the local AWS's, FUZZTIME=10m each.
	@$(TIMED)
	$(MODELS)
	failed=
	for package in ./controllers ./internal/awscloud ./internal/localaws ./internal/localaws/awsmodel; do
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do
			$(GO) test $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) || failed="$$failed $$target"
		done
	done
	[ -z "$$failed" ] || { echo "fuzz: these failed:$$failed"; exit 1; }

##@ Try it

.PHONY: demo
demo: build ## Deploy, roll back and deploy again on a local AWS, under traffic; writes out/demo.json.
	@$(TIMED)
	$(MODELS)
	bin/kubectl-slipway local demo

.PHONY: up
up: build ## The same world, left running for you. Ctrl-C ends it.
	@exec bin/kubectl-slipway local up # exec: what ends make ends it

##@ Build

# Without symbols for a debugger, which are a third of the size; a panic's trace needs none of them. No -trimpath here, as in
# the image: everything would be compiled once for `make test` and once more for this.
LDFLAGS = -s -w
# Programs know the commit that they are of, whatever GOFLAGS says, where git tells it: `version` and out/demo.json give it.
VCS = -buildvcs=$(if $(shell git rev-parse HEAD 2>/dev/null),auto,false)

.PHONY: build
build: machine ## Build bin/manager and bin/kubectl-slipway. (The image's manager is static: see Dockerfile.)
	@$(TIMED)
	$(GO) build -v $(VCS) -ldflags "$(LDFLAGS)" -o bin/manager . 2>&1 | $(PROGRESS)
	$(GO) build -v $(VCS) -ldflags "$(LDFLAGS)" -o bin/kubectl-slipway ./cmd/kubectl-slipway 2>&1 | $(PROGRESS)

PLUGINS ?= $(HOME)/.local/bin

.PHONY: plugin
plugin: build ## Install `kubectl slipway`, and what kubectl completes its lines by, into PLUGINS=~/.local/bin, which has to be on the PATH.
	@mkdir -p "$(PLUGINS)"
	install bin/kubectl-slipway "$(PLUGINS)/kubectl-slipway"
	ln -sf kubectl-slipway "$(PLUGINS)/kubectl_complete-slipway"
	case ":$$PATH:" in *":$(PLUGINS):"*) ;; *) echo "kubectl finds it where the PATH leads: export PATH=\"$(PLUGINS):\$$PATH\"" ;; esac
	echo "kubectl slipway $$("$(PLUGINS)/kubectl-slipway" version --client)"

.PHONY: run
run: machine ## Run the manager on this machine, against the cluster of your kubeconfig.
	$(GO) run .

.PHONY: docker-build
docker-build: ## Build the manager's image, IMG=registry/name:tag.
	@$(TIMED)
	$(CONTAINER_TOOL) build -t $(IMG) --build-arg VERSION="$(VERSION)" .

.PHONY: docker-push
docker-push: ## Push it.
	@$(TIMED)
	$(CONTAINER_TOOL) push $(IMG)

##@ On a cluster

# Nobody's Releases go with their definition unasked, and nothing waits for a finalizer that no manager takes off.
UNUSED = KUBECTL="$(KUBECTL)" hack/check-unused.sh

.PHONY: install
install: bin/kustomize ## Install the CustomResourceDefinitions into the cluster of your kubeconfig.
	@$(TIMED)
	bin/kustomize build config/crd | $(KUBECTL) apply --server-side -f -

.PHONY: uninstall
uninstall: bin/kustomize ## Remove them. Stops while there are Releases, and says what to do with those first.
	@$(TIMED)
	$(UNUSED)
	bin/kustomize build config/crd | $(KUBECTL) delete --ignore-not-found -f -

# The image is set on the way, not by `kustomize edit`: to deploy does not change the tree.
DEPLOYMENT = bin/kustomize build config/default | sed 's|image: controller:latest$$|image: $(IMG)|'

.PHONY: deploy
deploy: bin/kustomize ## Deploy the manager, IMG=registry/name:tag.
	@$(TIMED)
	$(DEPLOYMENT) | $(KUBECTL) apply --server-side -f -

.PHONY: undeploy
undeploy: bin/kustomize ## Remove the CustomResourceDefinitions and the manager. Stops while there are Releases, as uninstall does.
	@$(TIMED)
	$(UNUSED)
	# The definitions first, while the manager runs: a Release that was made just now still gets its finalizer taken off.
	bin/kustomize build config/crd | $(KUBECTL) delete --ignore-not-found -f -
	$(DEPLOYMENT) | $(KUBECTL) delete --ignore-not-found -f -

##@ Tools (built into bin/ when they are needed; hack/tools/go.mod pins them)

TOOL_bin/controller-gen = sigs.k8s.io/controller-tools/cmd/controller-gen
TOOL_bin/golangci-lint = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
TOOL_bin/kustomize = sigs.k8s.io/kustomize/kustomize/v5

bin/controller-gen bin/golangci-lint bin/kustomize: hack/tools/go.mod hack/tools/go.sum | machine
	@$(TIMED)
	echo "$@: building it, once (golangci-lint takes about 5 minutes on 2 cores)"
	CGO_ENABLED=0 $(GO) build -C hack/tools -v -trimpath -ldflags "-s -w" -o ../../$@ $(TOOL_$@) 2>&1 | $(PROGRESS)
	touch $@
