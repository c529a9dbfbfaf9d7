package main

import (
	"context"
	"log/slog"

	"github.com/godbus/dbus/v5"
)

// watchResume calls resumed each time logind reports that the machine woke from
// suspend, until ctx ends. Without logind it does nothing. The engine checks
// its clocks every few seconds anyway, since Go's timers stand still in
// suspend.
func watchResume(ctx context.Context, log *slog.Logger, resumed func()) error {
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		log.Info("no system bus reports suspend; the clocks show it", "error", err)
		return nil
	}
	defer bus.Close()
	signals := make(chan *dbus.Signal, 8)
	bus.Signal(signals)
	err = bus.AddMatchSignalContext(ctx, dbus.WithMatchInterface("org.freedesktop.login1.Manager"), dbus.WithMatchMember("PrepareForSleep"))
	if err != nil {
		log.Info("the system bus does not report suspend; the clocks show it", "error", err)
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case s, ok := <-signals:
			if !ok {
				log.Info("the system bus went away; the clocks show suspend")
				return nil
			}
			if len(s.Body) != 1 || s.Name != "org.freedesktop.login1.Manager.PrepareForSleep" {
				continue
			}
			if asleep, _ := s.Body[0].(bool); !asleep {
				resumed()
			}
		}
	}
}
