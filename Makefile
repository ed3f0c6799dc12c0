# make help lists the targets with what each is for. Everything a target needs beyond Go, git and a C compiler (for -race) it installs
# itself: pinned Go tools into .tools/, Debian packages when a command is missing.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO       ?= go
VERSION  ?= $(shell git describe --tags --dirty --match 'v*' 2>/dev/null || echo v0.0.0-dev)
# The commit and whether the tree had changes come from -buildvcs.
LDFLAGS  := -s -w -X github.com/openclaw/clawd/internal/buildinfo.version=$(VERSION)

GOLANGCI_VERSION := v2.15.0
GOLANGCI = $$(scripts/tool.sh golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint $(GOLANGCI_VERSION))

# Process tests start real nodes, or hosts for them; they run by themselves, so that they meet an otherwise idle machine.
E2E  := internal/e2e internal/demo internal/fleet internal/netlab internal/chaos
# Pages of documentation, typed against real nodes.
DOC  := internal/doctest
# Packages with goroutines of their own, or that are called from many: their tests always run under the race detector.
# What is left is arithmetic and codecs without shared state; `make race` runs those under the detector too.
RACE := node api client storage internal/faultnet

MODULE   := github.com/openclaw/clawd
all_pkgs  = $(or $(shell $(GO) list ./...),$(error go list ./... failed))
# $(call under,DIRECTORIES): the packages in these directories, of those that exist.
under     = $(filter $(foreach d,$(1),$(MODULE)/$(d) $(MODULE)/$(d)/%),$(all_pkgs))
unit_pkgs = $(filter-out $(call under,$(E2E) $(DOC) $(RACE)),$(all_pkgs))

FUZZTIME  ?= 60s
BENCH     ?= .
BENCHARGS ?=
DEMOARGS  ?=
SDKARGS   ?=
SURGEARGS ?=
CHAOSARGS ?=
MUTANTSARGS ?=
CRASHARGS ?=
SCHEDULES ?= 100
DURATION  ?= 60s
SEED      ?=

##@ Use

.PHONY: help build run demo
help: ## Print this list
	@awk 'BEGIN { FS = ":.*## "; print "usage: make TARGET" } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build bin/clawd, one static binary
	@CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags '$(LDFLAGS)' -o bin/clawd ./cmd/clawd
	@echo "bin/clawd $(VERSION)"

run: build ## Build and start one node on 127.0.0.1:8080, data in ./clawd-data
	@exec bin/clawd serve

demo: build ## Three nodes, recorded traffic, a cut and a heal; prints a table and fails when a bound is broken
	@$(GO) run ./internal/demo $(DEMOARGS)

##@ Check

.PHONY: test unit race-short race fuzz-short fuzz fuzz-seeds doc e2e e2e-full sdk-test sdk-pythons lint fmt check cover
test: ## What CI runs: check, unit tests, race, fuzz-short, documentation, process tests, the Python SDK, upgrade, packages, Terraform
	@scripts/steps.sh check unit race-short fuzz-short doc e2e sdk-test upgrade-test aws-test package-short terraform-short

unit: ## Tests of the packages without shared state; each benchmark once, so that none rots
	@$(GO) test -bench=. -benchtime=1x $(unit_pkgs)
	@$(GO) test -run=AllocatesNothing $(MODULE)/node # the race detector allocates itself
	@$(GO) test -C bench/baseline ./...

race-short: ## Tests of the concurrent packages under the race detector
	@$(GO) test -race $(call under,$(RACE))

race: ## Every test but the process tests under the race detector
	@$(GO) test -race $(unit_pkgs) $(call under,$(RACE))

fuzz-short: ## Each fuzz target for a second; targets are found by name
	@FUZZTIME=700ms FUZZCACHE=none scripts/fuzz.sh

fuzz: ## Each fuzz target for FUZZTIME (60s)
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

fuzz-seeds: ## Regenerate the seeds in testdata/fuzz that come from a cluster's own traffic
	@$(GO) run ./internal/fuzzseeds

doc: ## Run the commands of the README and the pages under docs/ against real nodes
	@$(GO) test -count=1 $(call under,$(DOC))

# They mostly wait, so that more of them fit at a time than there are cores.
e2e: e2e-tools ## Process tests in their short form: real nodes, kill -9, partitions, bad links, full disks
	@$(GO) test -short -count=1 -parallel 4 -timeout 20m $(call under,$(E2E))

e2e-full: e2e-tools ## Process tests at full length
	@$(GO) test -timeout 60m -count=1 $(call under,$(E2E))

.PHONY: e2e-tools
e2e-tools:
	@scripts/need.sh ip=iproute2 nft=nftables setpriv=util-linux

sdk-test: build ## The Python SDK: lint, types, and its tests against bin/clawd and a real Prometheus; SDKARGS="-k outage"
	@scripts/need.sh prometheus=prometheus promtool=prometheus openssl=openssl
	@sdk/python/scripts/venv.sh
	@sdk/python/scripts/check.sh $(SDKARGS)

sdk-pythons: build ## The tests of the Python SDK under every supported Python that this machine has
	@scripts/need.sh prometheus=prometheus promtool=prometheus openssl=openssl
	@sdk/python/scripts/pythons.sh $(SDKARGS)

lint: ## golangci-lint with the rules of .golangci.yml
	@lint=$(GOLANGCI); "$$lint" run ./...

fmt: ## Format the code the way lint asks for
	@lint=$(GOLANGCI); "$$lint" fmt ./...

check: lint ## Lint, and fail on an untidy or altered module or a faulty shell script
	@$(GO) mod tidy -diff
	@$(GO) mod verify
	@scripts/need.sh shellcheck=shellcheck
	@shellcheck scripts/*.sh sdk/python/scripts/*.sh .ci/run

cover: ## Coverage of all tests but the process tests; coverage/index.html
	@mkdir -p coverage
	@$(GO) test -coverprofile=coverage/cover.out $(unit_pkgs) $(call under,$(RACE))
	@$(GO) tool cover -html=coverage/cover.out -o coverage/index.html
	@$(GO) tool cover -func=coverage/cover.out | tail -1

##@ Measure

.PHONY: bench scale bench-go soak chaos sim accuracy mutants crash
sim: ## The cluster simulator on fresh seeds for DURATION (60s); SEED=n tells the story of one; SIMARGS="-workers 2"
	@$(GO) build -o bin/sim ./internal/sim/run
	@GODEBUG=asyncpreemptoff=1 bin/sim $(if $(SEED),-seed $(SEED),-duration $(DURATION)) -commit "$$(git describe --always --dirty 2>/dev/null)" $(SIMARGS)

mutants: ## Plant bugs, one at a time: the simulator or the crash tests must catch each; MUTANTSARGS="-only NAME -detail"
	@$(GO) run ./internal/mutant/run $(MUTANTSARGS)

crash: ## The crash tests at length, SCHEDULES (100) a test: disks taken away and failing under real replicas; ends by itself
	@$(GO) test -count=1 -timeout 0 ./internal/crashtest -schedules $(SCHEDULES) $(CRASHARGS)

accuracy: ## How far clusters are from one central bucket, beside the design's models; writes the tables of docs/reliability.md
	@$(GO) run ./internal/accuracy/run -write docs/reliability.md

chaos: e2e-tools ## Every fault at full length, 22 minutes; CHAOSARGS="-write docs/reliability.md" updates its table, -only NAME picks
	@$(GO) run ./internal/chaos/run $(CHAOSARGS)

bench: build ## Real load, clawd beside other servers, 12 minutes; BENCHARGS="-only NAME -write" picks and updates docs/performance.md
	@scripts/need.sh wrk=wrk redis-server=redis-server
	@$(GO) run ./bench/run $(BENCHARGS)

soak: build ## Three nodes under steady load for DURATION (30m); fails when memory, descriptors, disk or p99 are not flat
	@scripts/need.sh wrk=wrk
	@$(GO) run ./bench/run -only soak -soak $(if $(filter file,$(origin DURATION)),30m,$(DURATION)) $(BENCHARGS)

scale: build ## A million agents on one node: fails above 350 MB of memory or 3 s for a restart; AGENTS=n only tells
	@$(GO) run ./bench/scale $(if $(AGENTS),-agents $(AGENTS),-max-rss 350 -max-ready 3s) $(SCALEARGS)

BENCHSTAT_VERSION := v0.0.0-20260908200009-22c9c6c9d4da

bench-go: ## Go benchmarks of the hot packages against bench/baseline.txt; BENCH=pattern, BENCHARGS=-update makes a new baseline
	@stat=$$(scripts/tool.sh benchstat golang.org/x/perf/cmd/benchstat $(BENCHSTAT_VERSION)); \
		$(GO) run ./bench/gobench -benchstat "$$stat" -bench '$(BENCH)' $(BENCHARGS)

.PHONY: bench-surge
bench-surge: ## A surge through a real clawd to a real downstream, static and adaptive, 20 minutes; SURGEARGS="-duration 60s" is the short form
	@$(GO) run ./bench/surge -plots bench/results $(SURGEARGS)

include deploy/deploy.mk terraform/terraform.mk

model: ## Train the prior of the refill model from testdata/traces; it is part of the binary
	@$(GO) run ./internal/refilltrain -o mlrefill/prior.json testdata/traces/*.csv.gz

##@ Tidy up

.PHONY: clean
clean: ## Remove what building, testing and measuring left (keeps .tools/ and the data of nodes)
	@rm -rf bin coverage dist bench/results
