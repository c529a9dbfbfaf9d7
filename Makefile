# Curfew. `make` alone lists what can be made.

.ONESHELL:
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.3.0

# Whatever compiles the window uses exactly these flags. Any other set makes
# the compiler do Fyne's OpenGL bindings again, which takes three minutes.
WINDOW := -trimpath -tags=migrated_fynedo

# The other programs need no C compiler, here or for another system.
PURE := CGO_ENABLED=0 go build -trimpath -ldflags='-s -w'

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 14

.PHONY: build
build: setup-build ## build the three programs into bin/
	$(PURE) -o bin/ ./cmd/curfew ./cmd/curfew-tray
	.ci/build-window $(WINDOW)

# The window's main package has no tests of its own, and the race detector would
# compile OpenGL once more; ui/window tests the program as it was built.
.PHONY: test
test: setup-test build ## run every test, with the race detector; what cannot run fails
	packages=$$(go list ./... | grep -v '/cmd/curfew-window$$')
	CURFEW_TEST_ALL=1 go test -race $$packages

.PHONY: bench-plan
bench-plan: ## replay generated months through every refresh mode; table and picture in build/plan/
	go test ./auth -run TestBenchPlan -count=1 -timeout 30m -args -bench-plan "$$PWD/build/plan"
	sed -n '1,200p' build/plan/table.md

.PHONY: demo
demo: build ## sign in, spend the refreshes, run into the limit; plays itself without a display
	@if [ -n "$${DISPLAY-}$${WAYLAND_DISPLAY-}" ]; then
	  bin/curfew demo
	else
	  .ci/setup demo
	  .ci/headless-desktop bin/curfew demo --play --access-ttl 30s --out build/demo
	fi

# The tests that sit before a whole desktop.
DESKTOP := cd cmd/curfew && ../../.ci/headless-desktop ../../build/desktop.test -test.v -test.timeout=20m -test.run

.PHONY: test-desktop
test-desktop: setup-desktop build build/desktop.test ## panels, menus held open, Wayland: by mouse, with pictures in build/desktop/
	$(DESKTOP) '^TestDesktop'

.PHONY: rest
rest: setup-desktop build build/desktop.test ## measure what Curfew takes while nothing happens
	$(DESKTOP) '^TestRest$$'

.PHONY: build/desktop.test
build/desktop.test:
	CGO_ENABLED=0 go test -trimpath -c -o $@ ./cmd/curfew

.PHONY: check
check: setup-build ## gofmt, vet, go fix, staticcheck, known vulnerabilities
	export GOFLAGS="$$(go env GOFLAGS) $(WINDOW)"
	unformatted=$$(gofmt -l .)
	[ -z "$$unformatted" ] || { echo "not formatted:" $$unformatted; exit 1; }
	go vet ./...
	GOOS=windows go vet ./auth/... ./cmd/curfew ./cmd/curfew-tray ./keystore/...
	go fix -diff ./...
	go run $(STATICCHECK) -checks inherit,ST1000,ST1003,ST1016,ST1020,ST1021,ST1022 ./...
	.ci/vulnerabilities $(GOVULNCHECK)

.PHONY: cross
cross: ## build the pure Go programs for other systems into build/cross/
	for target in linux/arm64 darwin/arm64 windows/amd64; do
	  export GOOS=$${target%/*} GOARCH=$${target#*/}
	  programs=./cmd/curfew
	  [ $$GOOS = darwin ] || programs+=" ./cmd/curfew-tray" # its tray needs Apple's compiler
	  $(PURE) -o build/cross/$$target/ $$programs
	done

.PHONY: setup setup-build setup-test setup-demo setup-desktop
setup: ## install the Debian packages that any of these need
	@.ci/setup build test demo desktop
setup-build:
	@.ci/setup build
setup-test:
	@.ci/setup test
setup-demo:
	@.ci/setup demo
setup-desktop:
	@.ci/setup build desktop

.PHONY: clean
clean: ## remove what was built
	rm -rf bin build
