package keystore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// How long a keychain call may take.
const (
	backgroundLimit = 3 * time.Second   // nobody is asked, so it is fast or broken
	flushLimit      = 15 * time.Second  // KWallet writes 5 s after the last change
	unlockLimit     = 120 * time.Second // a person types a password
)

// errClosed is what calls get after Close.
var errClosed = errors.New("the store is closed")

// A worker makes all calls to the keychain, one at a time and in order. A
// keychain may hang for ever, crash when it is hurried, and let an abandoned
// call land late. A call whose time is up is abandoned and its caller gets
// ErrTimeout. The next call waits until the keychain has answered after all, so
// that no late write can overtake a later one.
//
// A keychain whose user said no is not asked again before somebody wants it to
// be, or something changes. A prompt that comes back each time it is closed
// would be a nuisance.
//
// Its goroutine starts with the first call and ends with close.
type worker struct {
	kc      Keychain
	service string
	log     *slog.Logger

	refused atomic.Pointer[string] // the item that the keychain's user did not let us have; nil: none
	late    chan struct{}          // ticks when a call that was given up has been answered

	start sync.Once
	calls chan *call
	quit  chan struct{} // closed by close
	done  chan struct{} // closed when the goroutine has ended
}

type call struct {
	ctx    context.Context
	f      func(context.Context) (string, error)
	answer chan answer // buffered: an abandoned call's answer goes nowhere
}

type answer struct {
	value string
	err   error
}

func newWorker(kc Keychain, service string, log *slog.Logger) *worker {
	return &worker{
		kc: kc, service: service, log: log,
		calls: make(chan *call), quit: make(chan struct{}), done: make(chan struct{}), late: make(chan struct{}, 1),
	}
}

func (w *worker) run() {
	defer close(w.done)
	for {
		select {
		case c := <-w.calls:
			v, err := guarded(c)
			if c.ctx.Err() != nil {
				select {
				case w.late <- struct{}{}:
				default:
				}
			}
			c.answer <- answer{v, err}
		case <-w.quit:
			return
		}
	}
}

// guarded makes a panic of the keychain's library an error.
func guarded(c *call) (v string, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = "", fmt.Errorf("%w: its library failed: %v", ErrUnavailable, panicText(p))
		}
	}()
	return c.f(c.ctx)
}

// panicText shows only the runtime's own words: other values could hold an item.
func panicText(p any) string {
	if e, ok := p.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("panic with a %T", p)
}

// do makes one call within limit. what says what it is for, for people.
func (w *worker) do(ctx context.Context, limit time.Duration, what string, f func(context.Context) (string, error)) (string, error) {
	select {
	case <-w.quit:
		return "", errClosed
	default:
	}
	w.start.Do(func() { go w.run() })
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := &call{ctx, f, make(chan answer, 1)}
	select {
	case w.calls <- c:
	case <-ctx.Done():
		return "", fmt.Errorf("cannot %s: %w: it is busy with an earlier call (%w)", what, ErrTimeout, ctx.Err())
	case <-w.quit:
		return "", errClosed
	}
	select {
	case a := <-c.answer:
		if a.err != nil {
			return "", fmt.Errorf("cannot %s: %w", what, a.err)
		}
		return a.value, nil
	case <-ctx.Done():
		w.log.Warn("the keychain does not answer", "while", what)
		return "", fmt.Errorf("cannot %s: %w (%w)", what, ErrTimeout, ctx.Err())
	}
}

// close lets a call in flight end, at most until ctx does.
func (w *worker) close(ctx context.Context) error {
	close(w.quit)
	w.start.Do(func() { close(w.done) }) // it never ran
	select {
	case <-w.done:
		if c, ok := w.kc.(io.Closer); ok {
			return c.Close()
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a keychain call is still in flight: %w", ctx.Err())
	}
}

// probe reports whether calls may proceed, without prompting.
func (w *worker) probe(ctx context.Context) error {
	_, err := w.do(ctx, backgroundLimit, "use the keychain", func(ctx context.Context) (string, error) {
		return "", w.ready(ctx)
	})
	return err
}

// unlock lets the keychain ask whatever it wants to ask, while a person is there.
// It looks once more for the item that was refused, so that the keychain asks
// about that too.
func (w *worker) unlock(ctx context.Context) error {
	_, err := w.do(ctx, unlockLimit, "unlock the keychain", func(ctx context.Context) (string, error) {
		refused := w.refused.Swap(nil)
		if err := w.kc.Unlock(ctx); err != nil || refused == nil {
			return "", err
		}
		_, err := w.kc.Get(w.service, *refused)
		return "", w.noteDenied(*refused, err)
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// noteDenied remembers that an item was refused, until askAgain.
func (w *worker) noteDenied(name string, err error) error {
	if errors.Is(err, ErrDenied) {
		w.refused.Store(&name)
	}
	return err
}

// askAgain lets a keychain ask again after a no.
func (w *worker) askAgain() { w.refused.Store(nil) }

// ready is asked in the same turn before every call, because a library may prompt
// on a locked keychain, without a limit. A probe that took all the time there was
// is the end of the call, so that nothing is written for nobody.
func (w *worker) ready(ctx context.Context) error {
	if err := w.kc.Probe(ctx); err != nil {
		return err
	}
	if w.refused.Load() != nil {
		return fmt.Errorf("%w: it was told not to let Curfew in, and is not asked again automatically", ErrDenied)
	}
	return ctx.Err()
}

// get reads an item.
func (w *worker) get(ctx context.Context, name string) (string, error) {
	return w.do(ctx, backgroundLimit, "read a keychain item", func(ctx context.Context) (string, error) {
		if err := w.ready(ctx); err != nil {
			return "", err
		}
		v, err := w.kc.Get(w.service, name)
		return v, w.noteDenied(name, err)
	})
}

// set writes an item and reads it back in the same turn. A keychain whose user
// said no says "stored" all the same.
func (w *worker) set(ctx context.Context, name, value string) error {
	_, err := w.do(ctx, backgroundLimit, "write a keychain item", func(ctx context.Context) (string, error) {
		if err := w.ready(ctx); err != nil {
			return "", err
		}
		if err := w.kc.Set(w.service, name, value); err != nil {
			return "", w.noteDenied(name, err)
		}
		got, err := w.kc.Get(w.service, name)
		if errors.Is(err, ErrNotFound) || err == nil && got != value {
			err = fmt.Errorf("%w: it took the item but did not keep it", ErrDenied)
		}
		return "", w.noteDenied(name, err)
	})
	return err
}

// drop deletes an item, if it is there, and looks in the same turn that it is gone.
func (w *worker) drop(ctx context.Context, name string) (was bool, err error) {
	_, err = w.do(ctx, backgroundLimit, "delete a keychain item", func(ctx context.Context) (string, error) {
		if err := w.ready(ctx); err != nil {
			return "", err
		}
		if err := w.kc.Delete(w.service, name); err != nil {
			return "", err
		}
		_, err := w.kc.Get(w.service, name)
		switch {
		case err == nil:
			return "", fmt.Errorf("%w: it said yes but kept the item", ErrDenied)
		case errors.Is(err, ErrNotFound):
			return "", nil
		}
		return "", err
	})
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// A flusher is a keychain whose writes can be made to survive a power cut.
type flusher interface {
	Flush(ctx context.Context) error
}

// flush returns when what was written before is durable, or the store is closed.
// It may take seconds and changes no item, so it takes no turn: other calls go on.
func (w *worker) flush(ctx context.Context) error {
	f, ok := w.kc.(flusher)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	go func() {
		select {
		case <-w.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := f.Flush(ctx); err != nil {
		return fmt.Errorf("cannot make the keychain durable: %w", err)
	}
	return nil
}

// readSlot returns the sealed text of a generation, or ErrNotFound.
func (w *worker) readSlot(ctx context.Context, slot string, gen int) (string, error) {
	var sealed string
	for i, n := 0, 1; i < n; i++ {
		text, err := w.get(ctx, chunkName(slot, i))
		if err != nil {
			return "", err
		}
		part, count, err := parseChunk(text, gen, i)
		if err == nil && i > 0 && count != n {
			err = errors.New("chunks of two writes")
		}
		if err != nil {
			return "", fmt.Errorf("%w: the keychain holds %w", ErrTampered, err)
		}
		sealed, n = sealed+part, count
	}
	return sealed, nil
}

// writeSlot writes the sealed text of a generation, from the first chunk up.
func (w *worker) writeSlot(ctx context.Context, slot string, gen int, sealed string) error {
	for i, c := range split(gen, sealed) {
		if err := w.set(ctx, chunkName(slot, i), c); err != nil {
			return err
		}
	}
	return nil
}

// clearSlot deletes a slot's chunks, whatever they hold. It begins with the last
// one, so that what an interruption leaves can be found from the first one up.
func (w *worker) clearSlot(ctx context.Context, slot string) (was bool, err error) {
	n := 0
	for ; n < maxChunks; n++ {
		_, err := w.get(ctx, chunkName(slot, n))
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return false, err
		}
	}
	for i := n - 1; i >= 0; i-- {
		if _, err := w.drop(ctx, chunkName(slot, i)); err != nil {
			return false, err
		}
	}
	return n > 0, nil
}
