//go:build !windows

package tray

import (
	"fyne.io/systray"

	"curfew/assets"
)

// setIcon sends a PNG, and to macOS a template that it colours itself.
func setIcon(name string, tone assets.Tone) {
	systray.SetTemplateIcon(assets.TrayIcon(name, assets.Light), assets.TrayIcon(name, tone))
}
