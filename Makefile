# Everything runs as root on Debian or Ubuntu with Go; what else is missing is installed or built by the targets, outside
# this folder ($XDG_CACHE_HOME/hybridlab). `make help` lists the targets.
RELEASE ?= v0.1.0
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
DATE    := $(shell TZ=UTC git log -1 --date=iso-strict-local --format=%cd 2>/dev/null)
DIRTY   := $(shell git status --porcelain 2>/dev/null | head -c1)
VERSION := $(RELEASE)+$(shell echo $(COMMIT) | cut -c1-7)$(if $(DIRTY),.dirty)
PKG     := github.com/onectl/onectl/pkg/onectl/version
STAMP   := -X $(PKG).version=$(VERSION) -X $(PKG).gitCommit=$(COMMIT) -X $(PKG).buildDate=$(DATE) -X $(PKG).gitTreeState=$(if $(DIRTY),dirty,clean)

export CGO_ENABLED = 0
BUILD   := go build -trimpath -ldflags "-s -w $(STAMP)"

# The CNI plugin answers before Go's runtime starts (pkg/node/cni/plugin); without the entry it does the same, more slowly.
PLUGIN  := go build -trimpath -ldflags "-s -w -E terway_entry"

.DEFAULT_GOAL := help
.PHONY: help build test unit stories scenarios demo bench soak shortsoak lint generate verify clean needs

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

build: ## static binaries in bin/
	@mkdir -p bin
	$(BUILD) -o bin/ ./cmd/...
	$(PLUGIN) -o bin/ ./cmd/terway

test: lint unit shortsoak stories ## everything: lint, unit tests with the race detector, two minutes of soak, the stories on a fresh lab

unit: needs ## unit and namespace tests with the race detector
	CGO_ENABLED=1 go test -race -timeout 30m ./pkg/... ./cmd/... ./e2e/lab/... ./e2e/bench ./manifests/...

stories: build needs ## the end-to-end stories over the real binaries
	go test -count=1 -timeout 60m ./e2e

scenarios: build needs ## of the stories, those of the three hybrid networks: a lab each, proved with packets, then broken
	go test -count=1 -timeout 60m ./e2e -run TestScenarios

demo: build needs ## the main job, step by step, on a lab of its own
	go run ./e2e/demo

bench: build needs ## measure against a floor and the reference plugins; writes bin/bench.json and bin/bench.svg
	go run ./e2e/bench -out bin/bench.json -plot bin/bench.svg

SOAK ?= 1h
SEED ?= 0
PREFIXES ?= false
DUAL ?= false
EXCLUSIVE ?= false

soak: build needs ## a node's bad hour: pods come and go under faults, then the books must be equal; SOAK=10m SEED=7 PREFIXES=true DUAL=true EXCLUSIVE=true
	go run ./e2e/soak -for $(SOAK) -seed $(SEED) -prefixes=$(PREFIXES) -dual=$(DUAL) -exclusive=$(EXCLUSIVE)

shortsoak: SOAK = 2m
shortsoak: soak

lint: ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l cmd pkg e2e manifests | tee /dev/stderr)" || { echo 'not formatted: run gofmt -w on the files above'; exit 1; }
	go vet ./...
	go tool staticcheck ./...

generate: ## rewrite golden files
	go test ./pkg/... -run Golden -update

verify: lint ## what is generated is up to date
	go mod tidy -diff
	go mod verify

clean: ## remove bin/ and every lab; the cache stays
	@if [ -x bin/hybridlab ]; then bin/hybridlab down --all; fi
	rm -rf bin

needs:
	@e2e/needs
