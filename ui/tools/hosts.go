package tools

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"curfew/auth"
)

// errForeign: the host is on no account's list.
var errForeign = errors.New("no account has this host")

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

// choose returns the account that an address gets its tokens from. One that the
// tool's configuration names must list the host like any other: the
// configuration may be that of a repository or of a cluster.
func choose(all []auth.Snapshot, named, address string) (auth.Snapshot, error) {
	if address == "" {
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
	_, err := choose([]auth.Snapshot{a}, a.Name, address)
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
