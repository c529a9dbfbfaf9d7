package assets

import (
	"encoding/xml"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestDesktopFiles: the desktop understands what the package says of this
// program and this version.
func TestDesktopFiles(t *testing.T) {
	const metainfo, entry = "linux/" + AppID + ".metainfo.xml", "linux/" + AppID + ".desktop"
	text, err := os.ReadFile(metainfo)
	if err != nil {
		t.Fatal(err)
	}
	var component struct {
		ID       string `xml:"id"`
		Releases []struct {
			Version string `xml:"version,attr"`
		} `xml:"releases>release"`
		Launchable string `xml:"launchable"`
	}
	if err := xml.Unmarshal(text, &component); err != nil {
		t.Fatal(err)
	}
	c := component
	if c.ID != AppID || c.Launchable != AppID+".desktop" || len(c.Releases) == 0 || c.Releases[0].Version != Version {
		t.Errorf("%s says %+v, the constants %s %s", metainfo, c, AppID, Version)
	}
	if text, err := os.ReadFile(entry); err != nil || !strings.Contains(string(text), "\nIcon="+AppID+"\n") {
		t.Errorf("%s: %v", entry, err)
	}
	var picture struct {
		ViewBox string `xml:"viewBox,attr"`
	}
	text, err = os.ReadFile("linux/" + AppID + "-symbolic.svg")
	if err == nil {
		err = xml.Unmarshal(text, &picture)
	}
	if err != nil || picture.ViewBox != "0 0 16 16" || strings.Contains(string(text), "stroke") { // GTK gives fills the colour of the theme, and nothing else
		t.Errorf("the symbolic icon: %v, %+v", err, picture)
	}
	for _, check := range [][]string{
		{"desktop-file-validate", entry},
		{"appstreamcli", "validate", "--pedantic", "--no-net", metainfo},
	} {
		t.Run(check[0], func(t *testing.T) {
			if _, err := exec.LookPath(check[0]); err != nil {
				if os.Getenv("CI") != "" || os.Getenv("CURFEW_TEST_ALL") != "" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			if out, err := exec.Command(check[0], check[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
