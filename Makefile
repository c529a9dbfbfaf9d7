# Curfew. `make` alone lists what can be made.

.ONESHELL:
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0
NFPM        := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.44.0
FYNE        := fyne.io/tools/cmd/fyne@v1.7.2
WINRES      := github.com/tc-hib/go-winres@v0.3.3
ERRCHECK    := github.com/kisielk/errcheck@v1.30.0
INEFFASSIGN := github.com/gordonklaus/ineffassign@v0.2.0
CYCLONEDX   := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.3.0

# The window is always compiled with exactly these flags. Any other set compiles
# Fyne's OpenGL bindings again. OpenGL ES draws the same pixels, and its bindings
# compile in a third of the time. Windows has none.
WINDOW := -trimpath -tags=migrated_fynedo,gles

comma := ,

# The other programs need no C compiler, here or for another system. The tray on a
# Mac does, because it speaks to Cocoa.
PROGRAMS := ./cmd/curfew ./cmd/curfew-agent ./cmd/curfew-demo ./cmd/curfew-proxy
PURE := CGO_ENABLED=0 go build -trimpath -ldflags='-s -w'
TRAY := $(if $(filter Darwin,$(shell uname)),$(PURE:CGO_ENABLED=0=CGO_ENABLED=1),$(PURE))

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 17

.PHONY: build
build: setup-build ## build the programs into bin/
	$(PURE) -o bin/ $(PROGRAMS)
	$(TRAY) -o bin/ ./cmd/curfew-tray
	.ci/build-window $(WINDOW)

# The window's main package has no tests, and the race detector would compile OpenGL
# again. ui/window tests the program as it was built.
.PHONY: test
test: setup-test build ## run every test, with the race detector; a test that cannot run fails
	packages=$$(go list ./... | grep -v '/cmd/curfew-window$$')
	CURFEW_TEST_ALL=1 go test ./ui/window # every state of the window; with the race detector it draws four
	# By default a program with the race detector sleeps for a second at its end.
	GORACE=atexit_sleep_ms=0 CURFEW_TEST_ALL=1 go test -race -timeout 20m $$packages

SEEDS := 1000
SEED  := 0
.PHONY: sim
sim: ## play 1000 lives of 72 h with every fault; SEEDS=n plays n, SEED=n replays one with its log
	go test ./auth/engine -run 'TestSim$$' -count=1 -v -timeout 60m -args -sim.seeds=$(SEEDS) -sim.seed=$(SEED) |
	  grep -vE '^(=== | *--- PASS: TestSim/)'

.PHONY: peers
peers: setup-test ## sign in, renew, revoke at every provider's stand-in and at servers that others wrote; prints a table
	@.ci/setup peers
	go test ./cmd/curfew -run '^TestProviders$$' -count=1 -parallel 12 -timeout 30m -v -args -peers | grep -vE '^=== |^ *--- PASS: '

.PHONY: tools
tools: setup-test ## run git, kubectl and others with tokens of Curfew: signed in and out, after an expiry, all at once
	@.ci/setup tools
	go test ./cmd/curfew -run '^TestTools' -count=1 -v -args -tools | grep -vE '^=== |^ *time=|level='

.PHONY: limits
limits: ## show that limits and sessions survive outages, changed clocks, suspend and restored files
	@go test ./auth/engine -count=1 -v -run \
	  'TestSignInServeRefreshEnd|TestManyCallersOneRefresh|TestClockTurned|TestSuspend$$|TestRestoredPairs|TestOfflineCostsNothing|TestOutages|TestUseless' |
	  grep -vE '^=== |^ *--- PASS: |^ *time='

KILLS := 500
CALLS := 100
.PHONY: crash
crash: setup-test ## kill KILLS agents during refreshes and CALLS at system calls, per kind of server; break their disks
	$(PURE) -o bin/ $(PROGRAMS)
	go test ./cmd/curfew -run 'TestKilled|TestWindow|TestOrderOf|TestManyProc|TestBrokenDisk|TestHurtFiles|TestOpenState' \
	  -count=1 -v -timeout 90m -args -crash.program="$$PWD/bin/curfew" -crash.kills=$(KILLS) -crash.calls=$(CALLS) -crash.clean=$(KILLS) |
	  grep -v '^=== '

.PHONY: mutants
mutants: setup-test ## plant bugs one at a time and show which test catches each
	@echo '| planted bug | in | caught by |'
	echo '|---|---|---|'
	CURFEW_TEST_ALL=1 go test ./auth/engine -run TestMutants -count=1 -timeout 60m -v -args -mutants | grep -E '^(\||---|ok|FAIL)| of [0-9]+ planted|nothing'

# The load average up to which the machine is quiet enough to measure.
LOAD := 0.7
.PHONY: bench
bench: setup-test setup-bench ## measure token, socket, refresh and start next to oidc-agent, as ratios, then what rest and bench-build do; needs a quiet machine
	$(PURE) -o bin/ $(PROGRAMS)
	go test ./cmd/curfew -run 'TestBench$$' -count=1 -v -timeout 30m -args -bench -bench.load $(LOAD) -crash.program="$$PWD/bin/curfew" | grep -vE '^(=== |---)'
	$(MAKE) rest
	$(MAKE) bench-build

# Which targets bench-build measures, each in a clone of its own.
BUILT := build
.PHONY: bench-build
bench-build: setup-build ## build everything in a clean clone with an empty build cache, and print how long it took
	@go mod download
	echo
	echo '| first build, with an empty build cache | | goal | |'
	echo '|---|---|---|---|'
	clean=$$(mktemp -d)
	trap 'rm -rf "$$clean"' EXIT
	for target in $(BUILT); do
	  git clone -q . "$$clean/$$target"
	  began=$$(date +%s)
	  GOCACHE="$$clean/$$target/cache" GOPROXY=off $(MAKE) -C "$$clean/$$target" $$target >"$$clean/said" 2>&1 || { cat "$$clean/said"; exit 1; }
	  took=$$(($$(date +%s) - began)) goal='|'
	  [ $$target != build ] || goal="90 s | $$([ $$took -le 90 ] && echo met || echo 'not met')"
	  echo "| first \`make $$target\` | $$took s | $$goal |"
	done

.PHONY: bench-plan
bench-plan: ## replay generated months through every refresh mode; table and picture in build/plan/
	go test ./auth -run TestBenchPlan -count=1 -timeout 30m -args -bench-plan "$$PWD/build/plan"
	sed -n '1,200p' build/plan/table.md

.PHONY: demo
demo: BEGAN := $(shell date +%s)
demo: setup-before-demo build ## sign in, spend the refreshes, reach the limit; without a display it plays the person, too
	@echo "make demo: installed and built in $$(($$(date +%s) - $(BEGAN))) s"
	@if [ -n "$${DISPLAY-}$${WAYLAND_DISPLAY-}" ]; then
	  bin/curfew demo
	else
	  .ci/headless-desktop bin/curfew demo --play --access-ttl 30s --out build/demo
	fi

# Everything is installed first, because the build takes longer.
.PHONY: setup-before-demo
setup-before-demo:
	@[ -n "$${DISPLAY-}$${WAYLAND_DISPLAY-}" ] || .ci/setup build demo

# The tests that use a whole desktop.
DESKTOP := cd cmd/curfew-demo && ../../.ci/headless-desktop ../../build/desktop.test -test.v -test.timeout=20m -test.run

.PHONY: test-desktop
test-desktop: setup-desktop build build/desktop.test ## test panels, open menus and Wayland with a mouse; pictures in build/desktop/
	$(DESKTOP) '^TestDesktop'

.PHONY: walks
walks: setup-desktop build build/desktop.test ## walk through Curfew as people do, by keyboard alone; a picture of each step in build/walks/
	rm -rf build/walks
	$(DESKTOP) '^TestWalk' -walks $(CURDIR)/build/walks

# Windows and icons are drawn without a display. A panel draws the menus, so these
# need a desktop, which runs at the same time. A caption is next to each picture.
SHOTS = $(CURDIR)/build/shots
.PHONY: ui-shots
ui-shots: setup-demo build/desktop.test ## draw every state of tray, menu and window into build/shots/, with an index
	$(PURE) -o bin/ ./cmd/curfew-tray
	rm -rf $(SHOTS)
	( cd cmd/curfew-demo && ../../.ci/headless-desktop ../../build/desktop.test -test.run '^TestShots$$' -shots $(SHOTS) ) & menus=$$!
	trap 'kill $$menus 2>/dev/null || true' EXIT
	go test ./ui/window -run '^TestShots$$' -count=1 -args -shots $(SHOTS)
	go test ./ui/shots -run '^TestIcons$$' -count=1 -args -shots $(SHOTS)
	wait $$menus
	go test ./ui/shots -run '^TestIndex$$' -count=1 -v -args -shots $(SHOTS) | grep pictures

# The three of README.md.
.PHONY: docs-shots
docs-shots: ui-shots ## take the pictures of the README from build/shots/
	cp build/shots/window-dark/five-fine.png docs/window.png
	cp build/shots/menu-dark/accounts-5-work.png docs/menu.png
	cp build/shots/window-light/ended-refreshes.png docs/ended.png

.PHONY: test-windows
test-windows: setup-wine ## run the tests under Wine, with a stand-in for its notifications; lists what is skipped, and why
	@.ci/test-windows ./auth/agent/... ./auth/config ./auth/engine/... ./keystore ./cmd/curfew ./cmd/curfew-agent ./cmd/curfew-proxy ./cmd/curfew-tray \
	  ./ui/clipboard ./ui/desktop ./ui/display ./ui/status ./ui/tray

.PHONY: rest
rest: setup-desktop build build/desktop.test ## measure memory, CPU and wake-ups while nothing happens, and how the window opens
	go build $(WINDOW) -o build/empty-window ./cmd/curfew-demo/testdata/empty-window
	$(PURE) -o build/idle ./cmd/curfew-demo/testdata/idle
	$(DESKTOP) '^TestRest$$' -test.v=false -rest.load $(LOAD)

.PHONY: build/desktop.test
build/desktop.test:
	CGO_ENABLED=0 go test -trimpath -c -o $@ ./cmd/curfew-demo

.PHONY: check
check: setup-build lint ## gofmt, vet, go fix, staticcheck, unchecked errors, known vulnerabilities
	export GOFLAGS="$$(go env GOFLAGS) $(WINDOW)"
	unformatted=$$(gofmt -l .)
	[ -z "$$unformatted" ] || { echo "not formatted:" $$unformatted; exit 1; }
	go vet ./...
	GOOS=windows go vet $(PORTABLE)
	go fix -diff ./...
	go run $(STATICCHECK) -checks inherit,ST1000,ST1003,ST1016,ST1020,ST1021,ST1022 ./...
	.ci/vulnerabilities $(GOVULNCHECK)

# What golangci-lint runs by default and check does not. The window's main
# package is left out, which takes OpenGL to load.
PORTABLE := ./auth/... $(PROGRAMS) ./cmd/curfew-tray ./keystore/... ./ui/clipboard ./ui/desktop ./ui/display ./ui/tray
.PHONY: lint
lint: ## find errors that nobody checks (but those of .ci/unchecked), and values that nobody uses
	@packages=$$(go list ./... | grep -v '/cmd/curfew-window$$')
	export CGO_ENABLED=0
	GOBIN=$$PWD/build/tools go install $(ERRCHECK)
	GOBIN=$$PWD/build/tools go install $(INEFFASSIGN)
	build/tools/errcheck -ignoretests -exclude .ci/unchecked $$packages
	GOOS=windows build/tools/errcheck -ignoretests -exclude .ci/unchecked $(PORTABLE)
	build/tools/ineffassign $$packages

.PHONY: cross
cross: ## build the pure Go programs for other systems into build/cross/
	for target in linux/arm64 darwin/arm64 windows/amd64; do
	  export GOOS=$${target%/*} GOARCH=$${target#*/}
	  programs="$(PROGRAMS)"
	  [ $$GOOS = darwin ] || programs+=" ./cmd/curfew-tray" # its tray needs Apple's compiler
	  $(PURE) -o build/cross/$$target/ $$programs
	done

# For packagers: make package MAINTAINER='Ann <ann@example.org>'. The default address
# reaches nobody.
MAINTAINER := The Curfew authors <authors@curfew.invalid>
.PHONY: package
package: export MAINTAINER := $(MAINTAINER)
package: build ## make the Debian package, build/curfew_*.deb
	.ci/package $(NFPM) deb

.PHONY: release
release: export MAINTAINER := $(MAINTAINER)
release: setup-windows build ## make everything that is published, in build/release/: packages, archives, sums, SBOM
	.ci/release $(NFPM) $(WINRES) $(CYCLONEDX) $(WINDOW)

.PHONY: release-test
release-test: ## make the release again in another folder, and compare the bytes
	.ci/release-test

.PHONY: package-check
package-check: setup-package ## run Debian's lintian on the Debian package
	lintian --allow-root --fail-on error,warning build/curfew_*.deb

.PHONY: package-test
package-test: setup-package ## install the package on a bare Debian (SUITE=bookworm) and play the demo there; needs root
	.ci/package-test $(SUITE)

.PHONY: test-kwallet
test-kwallet: setup-package ## test the keystore with the real KWallet, on a bare Debian (SUITE=bookworm); needs root
	CGO_ENABLED=0 go test -trimpath -c -o build/keystore.test ./keystore
	.ci/kwallet-test build/keystore.test $(SUITE)

# Fyne packages one program with FyneApp.toml. It looks in its directory for that
# file, and for a module with some Go.
.PHONY: package-fyne
package-fyne: build ## package only the window, with Fyne's tool, build/fyne/Curfew.tar.xz
	mkdir -p build/tools/fyne build/fyne/assets/icons
	cd build/tools/fyne
	[ -f go.mod ] || { go mod init fyne-tool && go get -tool $(FYNE); }
	CGO_ENABLED=0 go build -o fyne $(firstword $(subst @, ,$(FYNE)))
	cd ../../..
	cp FyneApp.toml go.mod build/fyne/
	cp assets/icons/app-512.png build/fyne/assets/icons/
	printf 'package main\n\nfunc main() {}\n' >build/fyne/main.go
	cd build/fyne
	../tools/fyne/fyne package --os $$(go env GOOS) --exe ../../bin/curfew-window

# The first build compiles OpenGL's bindings for Windows.
.PHONY: package-windows
package-windows: setup-windows ## build the programs for Windows, build/curfew_*_windows_amd64.zip
	.ci/package-windows $(WINRES) $(subst $(comma)gles,,$(WINDOW))

.PHONY: setup setup-build setup-test setup-bench setup-demo setup-desktop setup-package setup-windows setup-wine
setup: ## install the Debian packages that these targets need
	@.ci/setup build test demo
setup-build:
	@.ci/setup build
setup-test:
	@.ci/setup test
setup-bench:
	@.ci/setup bench
setup-demo:
	@.ci/setup demo
setup-desktop:
	@.ci/setup build desktop
setup-package:
	@.ci/setup package
setup-windows:
	@.ci/setup windows
setup-wine:
	@.ci/setup windows wine

.PHONY: clean
clean: ## remove everything that was built
	rm -rf bin build
