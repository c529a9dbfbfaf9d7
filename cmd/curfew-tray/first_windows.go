package main

import (
	"context"
	"net"

	winio "github.com/Microsoft/go-winio"
)

func dial(ctx context.Context, pipe string) (net.Conn, error) {
	return winio.DialPipeContext(ctx, pipe)
}
