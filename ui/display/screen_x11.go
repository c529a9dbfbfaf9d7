//go:build unix && !darwin

package display

import (
	"os"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// screenSize returns the pixels of the screen; 0 where nobody tells. Compositors
// of Wayland give a window the size that their screen has room for.
func screenSize() (width, height int) {
	if os.Getenv("WAYLAND_DISPLAY") != "" || os.Getenv("DISPLAY") == "" {
		return 0, 0
	}
	conn, err := xgb.NewConn()
	if err != nil {
		return 0, 0
	}
	defer conn.Close()
	setup := xproto.Setup(conn)
	if conn.DefaultScreen >= len(setup.Roots) {
		return 0, 0
	}
	root := setup.Roots[conn.DefaultScreen]
	return int(root.WidthInPixels), int(root.HeightInPixels)
}
