//go:build unix && !darwin

package main

import (
	"context"
	"html"
	"log/slog"
	"slices"

	"github.com/godbus/dbus/v5"

	"curfew/assets"
	"curfew/ui/status"
	"curfew/ui/tray"
)

const (
	notifyName = "org.freedesktop.Notifications"
	notifyPath = "/org/freedesktop/Notifications"
)

// ServeNotices shows notices by the desktop's notification service and sends
// what people click in them to clicks, until ctx ends; then it takes them away,
// since a click would reach nobody. A desktop without the service has none,
// which is logged.
func (b bus) ServeNotices(ctx context.Context, notices <-chan tray.Notice, clicks chan<- tray.ID, logger *slog.Logger) {
	signals := make(chan *dbus.Signal, 16)
	b.Signal(signals)
	defer b.RemoveSignal(signals)
	if err := b.AddMatchSignalContext(ctx, dbus.WithMatchInterface(notifyName), dbus.WithMatchMember("ActionInvoked")); err != nil {
		logger.Warn("clicks on notifications will not be heard", "err", err)
	}
	shown := make(map[string]uint32) // the notification of each account
	for {
		select {
		case n := <-notices:
			if n.Quiet { // what it says is not true any more
				b.withdraw(ctx, shown[n.Account], logger)
				delete(shown, n.Account)
				continue
			}
			// Not by Notify's replaces_id: Plasma changes what is in its list
			// then, and shows nothing.
			b.withdraw(ctx, shown[n.Account], logger)
			delete(shown, n.Account)
			if n.Title == "" {
				continue
			}
			id, err := b.notify(ctx, n)
			if err != nil {
				logger.Warn("notification not shown", "title", n.Title, "err", err)
				continue
			}
			shown[n.Account] = id
		case s := <-signals:
			if s == nil {
				return // the bus is gone
			}
			id, key := actionOf(s)
			for account, of := range shown {
				if of != id {
					continue
				}
				select {
				case clicks <- clickOn(key, account):
				case <-ctx.Done():
					return
				}
			}
		case <-ctx.Done():
			for _, id := range shown {
				b.withdraw(context.WithoutCancel(ctx), id, logger)
			}
			return
		}
	}
}

// withdraw takes a notification away, 0 for none.
func (b bus) withdraw(ctx context.Context, id uint32, logger *slog.Logger) {
	if id == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err := b.Object(notifyName, notifyPath).CallWithContext(ctx, notifyName+".CloseNotification", dbus.FlagNoAutoStart, id).Err
	if err != nil {
		logger.Debug("notification not taken away", "err", err) // most likely the person has done it
	}
}

// actionOf reads an ActionInvoked signal; id 0 is no notification's.
func actionOf(s *dbus.Signal) (id uint32, key string) {
	if s.Name != notifyName+".ActionInvoked" || dbus.Store(s.Body, &id, &key) != nil {
		return 0, ""
	}
	return id, key
}

// notify shows n.
func (b bus) notify(ctx context.Context, n tray.Notice) (id uint32, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	service := b.Object(notifyName, notifyPath)
	var can []string
	if err := service.CallWithContext(ctx, notifyName+".GetCapabilities", 0).Store(&can); err != nil {
		return 0, err
	}
	body := n.Body
	if slices.Contains(can, "body-markup") {
		body = html.EscapeString(body)
	}
	var actions []string
	if slices.Contains(can, "actions") {
		actions = []string{actOpen, status.Tr("Open")} // xfce4-notifyd makes a button of it
		if n.Action != "" {
			actions = append(actions, actSignIn, n.Action)
		}
		if n.Later != "" {
			actions = append(actions, actTomorrow, n.Later)
		}
	}
	urgency := byte(1)
	if n.Over {
		urgency = 2 // stays until it is seen
	}
	hints := map[string]dbus.Variant{
		"desktop-entry": dbus.MakeVariant(assets.AppID),
		"category":      dbus.MakeVariant("network"),
		"urgency":       dbus.MakeVariant(urgency),
	}
	const replacesNone, serverDecides = uint32(0), int32(-1)
	err = service.CallWithContext(ctx, notifyName+".Notify", 0,
		assets.Name, replacesNone, assets.AppID, n.Title, body, actions, hints, serverDecides).Store(&id)
	return id, err
}
