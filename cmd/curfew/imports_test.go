package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// module is the prefix of our own packages.
const module = "curfew/"

// layers says which of our packages each of our packages may import, and why
// not more. Imports point down: a package stands above all that it may import.
// A new package needs a line here, with a reason.
var layers = []struct {
	pkg string
	may []string
	why string
}{
	{"assets", nil, "embedded files do not depend on the programs that show them"},
	{"assets/pages", nil, "a page is fixed text"},
	{"assets/icons", nil, "the program that draws the icons stands alone"},
	{"keystore/keychain", nil, "the system keeps small texts and need not know whose they are"},
	{"keystore", []string{"keystore/keychain"}, "it keeps opaque bytes and need not know what they mean"},
	{"keystore/kctest", nil, "keychains for tests, as the system gives them"},
	{"auth", nil, "all others use the words and the rules, so these depend on nothing"},
	{"auth/oauth/dpop", []string{"auth"}, "a proof needs a request and a key, and no server"},
	{"auth/oauth/peer", nil, "whose connection it is does not depend on what is said on it"},
	{"auth/oauth/door", nil, "how many may wait does not depend on what they want"},
	{"auth/oauth/jws", nil, "a signature needs a key, and neither a server nor claims"},
	{"auth/oauth", []string{"assets/pages", "auth", "auth/oauth/door", "auth/oauth/dpop", "auth/oauth/jws", "auth/oauth/peer"}, "the protocol knows neither sessions nor where they are kept; the pages of its listener are assets"},
	{"auth/oauth/standin", []string{"auth/oauth"}, "a stand-in is made of a preset; only tests use it"},
	{"auth/config", []string{"auth", "auth/oauth"}, "it knows the presets by name; the engine uses the settings"},
	{"auth/engine/journal", []string{"auth", "auth/oauth"}, "the journal of the past needs no live session"},
	{"auth/engine/clock", nil, "a clock need not know what the time is for"},
	{"auth/engine/exchange", []string{"auth", "auth/oauth"}, "what a token was traded for needs no session"},
	{"auth/engine/binding", []string{"auth"}, "whose a token is does not depend on what is done with it"},
	{"auth/engine/pair", []string{"auth", "auth/oauth/dpop", "keystore"}, "how two secrets are kept as one does not depend on whose they are"},
	{"auth/engine/failure", []string{"auth", "auth/oauth", "keystore"}, "words need to know what went wrong, not who was at it"},
	{"auth/engine", []string{"auth", "auth/engine/binding", "auth/engine/clock", "auth/engine/exchange", "auth/engine/failure", "auth/engine/journal", "auth/engine/pair", "auth/oauth", "auth/oauth/dpop", "keystore"}, "the engine must run on machines without a display"},
	{"auth/agent/client", []string{"auth"}, "a program that asks for tokens links only the standard library"},
	{"auth/agent/proxy", []string{"auth"}, "where a token may go does not depend on who makes the request"},
	{"auth/agent/oidcagent", []string{"auth"}, "another protocol for the same questions; it knows no session"},
	{"auth/agent/mcp", []string{"auth"}, "it passes messages on, and sees no token"},
	{"auth/agent/hooks", []string{"auth"}, "a hook needs to see what happened, and no more"},
	{"auth/agent/tokenfile", []string{"auth"}, "a file needs a token and a time, from whoever has them"},
	{"auth/agent/consent", []string{"auth"}, "whether a person agrees does not depend on how the program asks"},
	{"auth/agent/caller", []string{"auth"}, "who asks does not depend on what is asked"},
	{"auth/agent/resident", []string{"auth/agent/client"}, "a program that stays need not be a server"},
	{"auth/agent", []string{"auth", "auth/agent/caller", "auth/agent/client"}, "it decides who may ask; the engine and the configuration have the answers"},
	{"auth/authserver", nil, "the client is tested against an independent reading of the rules"},
	{"auth/authserver/peers", nil, "servers by others know nothing of us; only tests use it"},
	{"auth/authserver/robot", nil, "it reads pages as a person does, of any server"},
	{"ui/status", []string{"auth"}, "the words come from a snapshot alone, so that tray, window and command line say the same"},
	{"ui/preferences", []string{"auth", "ui/status"}, "language and appearance are next to the configuration, and the language sets the words"},
	{"ui/clipboard", []string{"auth", "ui/status"}, "it keeps any text, and says what to do where there is no clipboard"},
	{"ui/display", nil, "sizes of screens and words do not depend on what is shown"},
	{"ui/desktop", []string{"assets", "auth", "auth/agent/client", "ui/status"}, "it starts programs, now or at login, and says why one does not start"},
	{"ui/tray", []string{"assets", "auth", "auth/agent/client", "ui/status"}, "the tray sees snapshots and holds no secret"},
	{"ui/tray/traytest", nil, "it sees the tray as a panel does: over the bus"},
	{"ui/shots", []string{"auth"}, "the situations are snapshots; only tests use it"},
	{"ui/window/look", []string{"auth"}, "how things look does not depend on what they stand for"},
	{"ui/window/control", []string{"ui/status", "ui/window/look"}, "what people press and type into does not depend on what that does"},
	{"ui/window", []string{"assets", "auth", "auth/agent/client", "ui/status", "ui/window/control", "ui/window/look"}, "the window sees snapshots and holds no secret"},
	{"ui/terminal", []string{"auth"}, "all programs speak to terminals and scripts in the same way"},
	{"ui/terminal/mantest", []string{"assets"}, "pages are made of commands, whatever those do; only tests use it"},
	{"ui/tools", []string{"auth", "ui/terminal"}, "the protocols need an account and a token, but not the agent"},
	{"cmd/curfew", []string{"assets", "auth", "auth/agent/caller", "auth/agent/client", "ui/desktop", "ui/status", "ui/terminal", "ui/tools"}, "the command line asks the agent"},
	{"cmd/curfew-agent", []string{"assets", "auth", "auth/agent", "auth/agent/client", "auth/agent/consent", "auth/agent/hooks", "auth/agent/resident", "auth/agent/tokenfile", "auth/config", "auth/engine", "auth/engine/clock", "auth/oauth", "keystore", "ui/terminal"}, "the one program that holds tokens wires up the engine"},
	{"cmd/curfew-proxy", []string{"assets", "auth", "auth/agent/client", "auth/agent/mcp", "auth/agent/oidcagent", "auth/agent/proxy", "auth/agent/resident", "auth/oauth/peer", "ui/terminal", "ui/tools"}, "it asks the agent, as the programs would that it spares the token"},
	{"cmd/curfew-demo", []string{"assets", "auth", "auth/agent/client", "auth/authserver", "auth/authserver/robot", "ui/terminal"}, "the demo runs the other programs, and a server for them"},
	{"cmd/curfew-tray", []string{"assets", "auth", "auth/agent/client", "auth/agent/resident", "ui/clipboard", "ui/desktop", "ui/preferences", "ui/status", "ui/tray"}, "a program that people look at holds no secret"},
	{"cmd/curfew-window", []string{"assets", "auth", "auth/agent/client", "auth/agent/resident", "ui/clipboard", "ui/desktop", "ui/display", "ui/preferences", "ui/status", "ui/window", "ui/window/look"}, "a program that people look at holds no secret"},
}

// unreachable says what must not be linked in, however indirectly. A trailing
// "/..." stands for the package and all below it.
var unreachable = []struct {
	from string
	what string
	why  string
}{
	{"ui/status", "fyne.io/...", "words need no toolkit, and the command line uses them, too"},
	{"cmd/curfew-agent", "fyne.io/...", "it runs on machines without a display and without libGL"},
	{"cmd/curfew", "net/http", "if linked, it is set up at each start of `curfew token`, which does without"},
	{"cmd/curfew", "html/template", "if linked, it slows down every start, and the command line has no pages"},
	{"cmd/curfew", "github.com/jezek/xgb/...", "if linked, it slows down every start, and the command line has no windows"},
	{"cmd/curfew", "github.com/godbus/dbus/...", "if linked, it slows down every start, and the tray speaks to panels"},
	{"cmd/curfew", "encoding/xml", "if linked, it slows down every start"},
	{"cmd/curfew", "fyne.io/...", "it runs on machines without a display and without libGL, and starts fast"},
	{"ui/tray", "fyne.io/fyne/v2/...", "a tray with Fyne would take what an empty window of Fyne does: see `make rest`"},
	{"cmd/curfew-tray", "fyne.io/fyne/v2/...", "a tray with Fyne would take what an empty window of Fyne does: see `make rest`"},
	{"ui/window", "fyne.io/fyne/v2/app", "its tests need neither cgo nor a display"},
	{"ui/window", "github.com/go-gl/...", "its tests need neither cgo nor a display"},
}

// frontEnds show what the agent says: they reach nothing that could hold a
// secret or read the configuration.
var frontEnds = []string{"auth/agent/client", "ui/desktop", "ui/status", "ui/tools", "ui/tray", "ui/window", "cmd/curfew", "cmd/curfew-proxy"}

// engineRoom is what only the agent needs.
var engineRoom = []string{
	"curfew/keystore/...", "curfew/auth/engine", "curfew/auth/oauth", "curfew/auth/config", "curfew/auth/authserver/...",
	"github.com/zalando/go-keyring/...", "github.com/pelletier/go-toml/...", "github.com/golang-jwt/...", "golang.org/x/oauth2/...",
}

// bins are names of packages that own nothing, and so collect everything.
var bins = []string{"util", "utils", "common", "helpers", "misc", "shared", "service", "lib", "internal"}

// listed is what `go list` says of a package.
type listed struct {
	ImportPath, Name        string
	Imports, Deps, CgoFiles []string
	Standard                bool
}

func TestImports(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the go tool is not for Windows where this runs under Wine")
	}
	for _, system := range []string{"linux", "windows", "darwin"} {
		t.Run(system, func(t *testing.T) {
			all := list(t, system)
			ours := map[string]listed{}
			for _, p := range all {
				if name, ok := strings.CutPrefix(p.ImportPath, module); ok {
					ours[name] = p
				}
			}
			if len(ours) == 0 {
				t.Fatal("go list lists nothing of ours")
			}
			checkLayers(t, ours)
			checkUnreachable(t, ours)
			checkPure(t, system, ours, all)
			for name := range ours {
				for elem := range strings.SplitSeq(name, "/") {
					if slices.Contains(bins, elem) {
						t.Errorf("%s: a package is named after the one thing it owns, not %q", name, elem)
					}
				}
			}
		})
	}
}

func checkLayers(t *testing.T, ours map[string]listed) {
	known := map[string]bool{}
	for _, layer := range layers {
		known[layer.pkg] = true
		for _, imported := range ours[layer.pkg].Imports {
			name, ok := strings.CutPrefix(imported, module)
			if ok && !slices.Contains(layer.may, name) {
				t.Errorf("%s imports %s and may import %v only: %s", layer.pkg, name, layer.may, layer.why)
			}
		}
	}
	for name := range ours {
		if !known[name] {
			t.Errorf("%s is new: give it its place in layers, with the reason", name)
		}
	}
}

func checkUnreachable(t *testing.T, ours map[string]listed) {
	for _, rule := range unreachable {
		deps := ours[rule.from].Deps
		if i := slices.IndexFunc(deps, func(dep string) bool { return matches(rule.what, dep) }); i >= 0 {
			t.Errorf("%s reaches %s: %s", rule.from, deps[i], rule.why)
		}
	}
	for _, name := range frontEnds {
		for _, what := range engineRoom {
			if i := slices.IndexFunc(ours[name].Deps, func(dep string) bool { return matches(what, dep) }); i >= 0 {
				t.Errorf("%s reaches %s: a front end holds no secret and asks the agent", name, ours[name].Deps[i])
			}
		}
	}
	for name, p := range ours {
		if name != "cmd/curfew-window" && slices.Contains(p.Imports, "fyne.io/fyne/v2/app") {
			t.Errorf("%s imports fyne.io/fyne/v2/app: it brings OpenGL and cgo, which live in cmd/curfew-window alone", name)
		}
	}
}

// checkPure checks that the programs that are to run anywhere need no C
// compiler. The tray of macOS is the exception: it speaks to Cocoa.
func checkPure(t *testing.T, system string, ours map[string]listed, all map[string]listed) {
	programs := []string{"cmd/curfew", "cmd/curfew-agent", "cmd/curfew-demo", "cmd/curfew-proxy"}
	if system != "darwin" {
		programs = append(programs, "cmd/curfew-tray")
	}
	for _, program := range programs {
		for _, dep := range ours[program].Deps {
			if p := all[dep]; len(p.CgoFiles) > 0 && !p.Standard {
				t.Errorf("%s reaches %s, which needs cgo: cgo lives in cmd/curfew-window alone", program, dep)
			}
		}
	}
}

// list asks the go command for all packages that any of ours needs on system,
// as if there were a C compiler for it.
func list(t *testing.T, system string) map[string]listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Name,Imports,Deps,CgoFiles,Standard", module+"...")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all := map[string]listed{}
	for d := json.NewDecoder(out); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal("go list: ", err)
	}
	return all
}

// matches reports whether the package dep is meant by pattern.
func matches(pattern, dep string) bool {
	tree, ok := strings.CutSuffix(pattern, "/...")
	return dep == tree || ok && strings.HasPrefix(dep, tree+"/")
}

// TestLayersPointDown checks the table itself: what a package may import
// stands above it in the table, so there is an order in which to read them.
func TestLayersPointDown(t *testing.T) {
	seen := map[string]bool{}
	for _, layer := range layers {
		for _, name := range layer.may {
			if !seen[name] {
				t.Errorf("%s may import %s, which stands below it in the table", layer.pkg, name)
			}
		}
		if path.Clean(layer.pkg) != layer.pkg || seen[layer.pkg] || layer.why == "" {
			t.Errorf("layer %q: must be a clean path, be there once and have a reason", layer.pkg)
		}
		seen[layer.pkg] = true
	}
}
