package auth

import "testing"

func TestCallerName(t *testing.T) {
	for _, test := range []struct {
		name string
		Caller
		want, text string
	}{
		{"nothing is known", Caller{}, "", "token for a program"},
		{"the system does not say", Caller{Claimed: "git"}, "git", "token for git"},
		{"a program by itself", Caller{Executable: "/usr/bin/curl", Parents: []string{"/usr/bin/bash"}}, "curl", "token for curl"},
		{"a forged name", Caller{Claimed: "git", Executable: "/usr/bin/curl", Parents: []string{"/usr/bin/bash"}}, "curl", "token for curl, which calls itself git"},
		{"the name of our tray, forged", Caller{Claimed: "curfew-tray", Executable: "/usr/bin/curl"}, "curl", "token for curl, which calls itself curfew-tray"},
		{"a helper", Caller{Claimed: "git", Executable: "/usr/bin/curfew", Parents: []string{"/usr/bin/dash", "/usr/lib/git-core/git-remote-http", "/usr/bin/git"}}, "git", "token for git"},
		{"a name that was cut", Caller{Claimed: "docker-credenti", Executable: "/usr/bin/curfew", Parents: []string{"/usr/bin/docker-credential-x"}}, "docker-credential-x", "token for docker-credential-x"},
		{"a command to be", Caller{Claimed: "curl", Executable: "/usr/bin/curfew", Parents: []string{"/usr/bin/bash"}}, "curl", "token for curl"},
		{"a command line without a claim", Caller{Executable: "/usr/bin/curfew", Parents: []string{"/usr/bin/bash"}}, "bash", "token for bash"},
		{"a command line alone", Caller{Executable: "/usr/bin/curfew"}, "curfew", "token for curfew"},
		{"a proxy", Caller{Claimed: "proxy api.example.com", Executable: "/usr/bin/curfew-proxy"}, "proxy api.example.com", "token for proxy api.example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := test.Caller.Name()
			if text := TokenText(name, test.Caller).Message; name != test.want || text != test.text {
				t.Errorf("%q and %q, want %q and %q", name, text, test.want, test.text)
			}
			// What started it is not always looked up.
			if alone := test.Caller; !alone.LacksStarter() {
				alone.Parents = nil
				if name := alone.Name(); name != test.want {
					t.Errorf("without what started it: %q, want %q", name, test.want)
				}
			}
		})
	}
	if text := TokenText("x", Caller{}).Message; text != "token for x" {
		t.Error(text)
	}
}

func TestSubject(t *testing.T) {
	for _, test := range []struct {
		want string
		Caller
	}{
		{"/usr/bin/curl", Caller{Claimed: "git", Executable: "/usr/bin/curl", Parents: []string{"/usr/bin/bash"}}},
		{"/usr/bin/git", Caller{Claimed: "x", Executable: "/usr/bin/curfew", Parents: []string{"/usr/bin/git", "/usr/bin/bash"}}},
		{"/opt/claude", Caller{Claimed: "mcp a.example", Executable: "/usr/bin/curfew-proxy", Parents: []string{"/opt/claude"}}},
		{"/usr/bin/curfew-proxy", Caller{Claimed: "oidc-agent: x", Executable: "/usr/bin/curfew-proxy"}},
		{"/usr/bin/git in podman-1", Caller{Executable: "/usr/bin/git", Container: "podman-1"}},
		{"git", Caller{Claimed: "git"}},
		{"", Caller{}},
	} {
		if got := test.Caller.Subject(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.Caller, got, test.want)
		}
	}
}
