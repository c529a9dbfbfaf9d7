//go:build unix && !darwin

package main

import (
	"context"
	"errors"
	"html"
	"log/slog"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"curfew/assets"
	"curfew/ui/status"
	"curfew/ui/tray"
)

const (
	notifyName = "org.freedesktop.Notifications"
	notifyPath = "/org/freedesktop/Notifications"
)

// ServeNotices shows notices with the desktop's notification service until ctx
// ends. Then it removes them, because nothing would handle a click. A notice that
// no service takes is offered again when a service appears.
func (b bus) ServeNotices(ctx context.Context, notices <-chan tray.Notice, events noticeEvents, logger *slog.Logger) {
	signals := make(chan *dbus.Signal, 16)
	b.Signal(signals)
	defer b.RemoveSignal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchInterface(notifyName), dbus.WithMatchMember("ActionInvoked")},
		{dbus.WithMatchInterface(notifyName), dbus.WithMatchMember("NotificationClosed")},
		{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, notifyName)},
	} {
		if err := b.AddMatchSignalContext(ctx, match...); err != nil {
			logger.Warn("clicks in notifications will not be noticed", "err", err)
		}
	}
	d := board{bus: b, noticeEvents: events, logger: logger, standing: make(map[string]standing), missed: make(map[string]tray.Notice)}
	for {
		select {
		case n := <-notices:
			d.post(ctx, n)
		case s := <-signals:
			if s == nil {
				return // the bus is gone
			}
			d.hear(ctx, s)
		case <-d.retry:
			d.offerAgain()
		case <-ctx.Done():
			for account := range d.standing {
				d.withdraw(context.WithoutCancel(ctx), account)
			}
			return
		}
	}
}

// A board is what the tray knows of the notification service and what that shows.
// It belongs to one goroutine.
type board struct {
	bus
	noticeEvents
	logger *slog.Logger

	standing map[string]standing    // the notification of each account
	missed   map[string]tray.Notice // the notices that the service did not take
	retry    <-chan time.Time       // when to offer them again; nil: when a service appears
	warned   bool                   // a failure was logged, and no success came since
}

// standing is a notification that the service has taken.
type standing struct {
	tray.Notice
	id   uint32
	gone bool // it has expired, or the person has closed it
}

// retryNotice is how long to wait before a running service is offered a notice
// again that it has refused.
const retryNotice = time.Minute

// post shows n in place of the account's last notice.
func (b *board) post(ctx context.Context, n tray.Notice) {
	_, missed := b.missed[n.Account]
	delete(b.missed, n.Account)
	old := b.standing[n.Account]
	var replaces uint32
	switch {
	case !n.Quiet:
		// Not with replaces_id: then Plasma changes its list and shows
		// nothing.
		b.withdraw(ctx, n.Account)
	case missed:
		b.missed[n.Account] = n
		return
	case old.id == 0 || old.gone:
		return // nobody can see the old words
	default:
		replaces = old.id
	}
	if n.Title == "" {
		return
	}
	id, err := b.notify(ctx, n, replaces)
	if err != nil {
		b.miss(n, err)
		return
	}
	b.warned = false
	b.standing[n.Account] = standing{Notice: n, id: id}
	b.shown(n)
}

// miss keeps n until a service may take it.
func (b *board) miss(n tray.Notice, err error) {
	level := slog.LevelDebug
	if !b.warned {
		level = slog.LevelWarn
	}
	b.warned = true
	b.logger.Log(context.Background(), level, "notification not shown", "title", n.Title, "err", err)
	b.missed[n.Account] = n
	if e, ok := errors.AsType[dbus.Error](err); !ok || e.Name != "org.freedesktop.DBus.Error.ServiceUnknown" {
		b.retry = time.After(retryNotice)
	}
}

// offerAgain offers the missed notices again, if they are still true.
func (b *board) offerAgain() {
	all := b.missed
	b.missed, b.retry = make(map[string]tray.Notice), nil
	for _, n := range all {
		b.again(n)
	}
}

// hear handles what the service reports of its notifications, and the news that
// the service has changed.
func (b *board) hear(ctx context.Context, s *dbus.Signal) {
	var id uint32
	switch s.Name {
	case "org.freedesktop.DBus.NameOwnerChanged":
		var name, before, now string
		if dbus.Store(s.Body, &name, &before, &now) != nil || name != notifyName {
			return // the watcher's, for instance
		}
		for account, s := range b.standing {
			if s.Over && !s.gone { // perhaps nobody has seen it
				b.missed[account] = s.Notice
			}
		}
		clear(b.standing) // another service does not know their numbers
		if now != "" {
			b.offerAgain()
		}
	case notifyName + ".NotificationClosed":
		var reason uint32
		if dbus.Store(s.Body, &id, &reason) == nil {
			if account, there := b.accountOf(id); there {
				s := b.standing[account]
				s.gone = true // kept: some services report this before the click
				b.standing[account] = s
			}
		}
	case notifyName + ".ActionInvoked":
		var key string
		if dbus.Store(s.Body, &id, &key) != nil {
			return
		}
		if account, there := b.accountOf(id); there {
			select {
			case b.clicks <- clickOn(key, account):
			case <-ctx.Done():
			}
		}
	}
}

func (b *board) accountOf(id uint32) (account string, there bool) {
	for account, s := range b.standing {
		if s.id == id {
			return account, true
		}
	}
	return "", false
}

// withdraw removes the account's notification, if one can be seen.
func (b *board) withdraw(ctx context.Context, account string) {
	old := b.standing[account]
	delete(b.standing, account)
	if old.id == 0 || old.gone {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err := b.Object(notifyName, notifyPath).CallWithContext(ctx, notifyName+".CloseNotification", dbus.FlagNoAutoStart, old.id).Err
	if err != nil {
		b.logger.Debug("notification not removed", "err", err) // most likely the person has closed it
	}
}

// notify shows n. It replaces the notification with the given number, if that is
// not 0.
func (b bus) notify(ctx context.Context, n tray.Notice, replaces uint32) (id uint32, err error) {
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
		for _, b := range buttonsOf(n) {
			actions = append(actions, b.action, b.label)
		}
	}
	urgency := byte(1)
	switch {
	case n.Over, n.Allow != "":
		urgency = 2 // stays until it is seen
	case n.Quiet:
		urgency = 0
	}
	hints := map[string]dbus.Variant{
		"desktop-entry": dbus.MakeVariant(assets.AppID),
		"category":      dbus.MakeVariant("network"),
		"urgency":       dbus.MakeVariant(urgency),
	}
	const serverDecides = int32(-1)
	err = service.CallWithContext(ctx, notifyName+".Notify", 0,
		assets.Name, replaces, assets.AppID, n.Title, body, actions, hints, serverDecides).Store(&id)
	return id, err
}
