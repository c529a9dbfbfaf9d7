package tools

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"curfew/auth"
)

// errForeign: the host is on no account's list.
var errForeign = errors.New("no account has this host")

// foreign is errForeign for a person.
func foreign(host string) error {
	return usage(fmt.Sprintf("%s is not a host of any account, so it gets no token", host), "add it to hosts in the account's table of config.toml")
}

// defaultPorts are what an address without a port means.
var defaultPorts = map[string]string{"https": "443", "http": "80"}

// target is the host that an address means, with its port, and whether what is
// sent there can be read on the way. An address without a scheme is https.
func target(address string) (host string, plain bool, err error) {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || defaultPorts[u.Scheme] == "" || u.Hostname() == "" {
		return "", false, errForeign
	}
	return hostAndPort(u, u.Scheme), u.Scheme == "http" && !isLoopback(u), nil
}

// isLoopback reports whether u is on this machine, by a literal address: what a
// name means is for others to say.
func isLoopback(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

func hostAndPort(u *url.URL, scheme string) string {
	return strings.ToLower(u.Hostname()) + " " + cmp.Or(u.Port(), defaultPorts[scheme])
}

// bound reports whether a lists the host. An entry without a port means the
// usual one.
func bound(a auth.Snapshot, host, scheme string) bool {
	for _, entry := range a.Hosts {
		if u, err := url.Parse(scheme + "://" + entry); err == nil && hostAndPort(u, scheme) == host {
			return true
		}
	}
	return false
}

// Here returns the account that a command means which names none, and why. Where
// a host is given, it is the one that lists that host. Else it is the one that
// lists dir or a folder above it, or else the only one. The rules are a person's
// own (config.toml), never those of a directory, which may come from somebody else.
func Here(all []auth.Snapshot, host, dir string) (s auth.Snapshot, why string, err error) {
	if host != "" {
		s, err = choose(all, "", host, dir)
		if errors.Is(err, errForeign) {
			err = foreign(host)
		}
		return s, host + " is one of its hosts", err
	}
	near, entry := nearest(all, dir)
	switch {
	case len(near) == 1:
		return near[0], "this folder is in " + entry, nil
	case len(near) > 1:
		return s, "", &auth.Error{Kind: auth.KindBadRequest, Message: fmt.Sprintf("%s is a folder of more than one account: %s", entry, names(near)), Hint: "name one of them, or list the folder in one account only"}
	case len(all) == 1:
		return all[0], "it is the only account", nil
	case len(all) == 0:
		return s, "", &auth.Error{Kind: auth.KindBadRequest, Message: "there is no account yet", Hint: "add one: curfew add NAME"}
	}
	return s, "", &auth.Error{Kind: auth.KindBadRequest, Message: "missing account name",
		Hint: "name one of them: " + names(all) + "; or list this folder under directories in the account's table of config.toml"}
}

// nearest returns the accounts that list the nearest folder above dir, or dir
// itself, and that folder. Links and the spelling of names do not matter.
func nearest(all []auth.Snapshot, dir string) (near []auth.Snapshot, entry string) {
	entries := map[string]fs.FileInfo{}
	for _, a := range all {
		for _, d := range a.Directories {
			if fi, err := os.Stat(d); err == nil {
				entries[d] = fi
			}
		}
	}
	for up := ""; len(entries) > 0 && dir != up && filepath.IsAbs(dir); up, dir = dir, filepath.Dir(dir) {
		here, err := os.Stat(dir)
		for _, a := range all {
			i := slices.IndexFunc(a.Directories, func(d string) bool { return err == nil && entries[d] != nil && os.SameFile(here, entries[d]) })
			if i >= 0 {
				near, entry = append(near, a), a.Directories[i]
			}
		}
		if len(near) > 0 {
			return near, entry
		}
	}
	return nil, ""
}

// choose returns the account that an address gets its tokens from. Where more
// than one lists it, the folder decides. One that the tool's configuration names
// must list the host like any other: the configuration may be that of a
// repository or of a cluster.
func choose(all []auth.Snapshot, named, address, dir string) (auth.Snapshot, error) {
	if address == "" {
		if near, _ := nearest(all, dir); len(near) == 1 {
			return near[0], nil
		}
		if len(all) == 1 {
			return all[0], nil
		}
		return auth.Snapshot{}, &auth.Error{Kind: auth.KindBadRequest, Message: "missing account name", Hint: "name one of them: --account " + cmp.Or(names(all), "NAME")}
	}
	host, plain, err := target(address)
	if err != nil {
		return auth.Snapshot{}, err
	}
	scheme := "https"
	if strings.HasPrefix(strings.ToLower(address), "http://") {
		scheme = "http"
	}
	var mine []auth.Snapshot
	for _, a := range all {
		if bound(a, host, scheme) && (named == "" || a.Name == named) {
			mine = append(mine, a)
		}
	}
	if near, _ := nearest(mine, dir); len(mine) > 1 && len(near) == 1 {
		mine = near
	}
	shown := strings.TrimSuffix(strings.Replace(host, " ", ":", 1), ":"+defaultPorts[scheme])
	switch {
	case len(mine) == 0 && named != "":
		return auth.Snapshot{}, &auth.Error{
			Kind: auth.KindRefused, Message: fmt.Sprintf("%s is not one of the hosts of %s, so it gets no token", shown, named),
			Hint: fmt.Sprintf("to change that, add it to hosts in [account.%s] of config.toml: hosts = [%q]", named, shown),
		}
	case len(mine) == 0:
		return auth.Snapshot{}, errForeign
	case plain:
		return auth.Snapshot{}, &auth.Error{
			Kind: auth.KindRefused, Message: fmt.Sprintf("the connection to %s is not encrypted, so it gets no token", shown), Hint: "use its https address",
		}
	case len(mine) > 1:
		return auth.Snapshot{}, &auth.Error{
			Kind: auth.KindBadRequest, Message: fmt.Sprintf("%s is a host of more than one account: %s", shown, names(mine)),
			Hint: "choose with --account NAME, or list the host in one account only",
		}
	}
	return mine[0], nil
}

// CheckHost says why the tokens of an account must not go to an address: its
// host is not one of the account's, or the connection is not encrypted.
func CheckHost(a auth.Snapshot, address string) error {
	_, err := choose([]auth.Snapshot{a}, a.Name, address, "")
	if errors.Is(err, errForeign) {
		return usage(fmt.Sprintf("%q is not a web address", address), "it starts with https://")
	}
	return err
}

func names(all []auth.Snapshot) string {
	var list []string
	for _, a := range all {
		list = append(list, a.Name)
	}
	return strings.Join(list, ", ")
}
