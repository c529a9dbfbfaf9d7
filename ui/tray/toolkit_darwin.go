package tray

import (
	"fyne.io/systray"

	"curfew/assets"
)

// setIcon sends a template, which macOS colours itself.
func setIcon(name string, tone assets.Tone) {
	systray.SetTemplateIcon(assets.TrayIcon(name, assets.Light), assets.TrayIcon(name, tone))
}
