package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"curfew/auth"
	"curfew/auth/engine/binding"
	"curfew/auth/engine/clock"
	"curfew/auth/engine/failure"
	"curfew/auth/engine/journal"
	"curfew/auth/oauth"
	"curfew/keystore"
)

// Config is what a Manager is made of.
type Config struct {
	Store        *keystore.Store
	Accounts     []auth.Account
	auth.General        // zero fields mean BuiltIn and WarnAll; limits can only tighten
	StateDir     string // for the log of events, of ended sessions and of a pause; "" keeps none

	// MemoryOnly says that Store is lost at the end. Every snapshot then says
	// so.
	MemoryOnly bool

	Logger *slog.Logger // nil: discard
	Clock  *clock.Clock // nil: the machine's

	// NewClient makes the protocol client of an account; nil means oauth.New.
	NewClient func(oauth.Config) (*oauth.Client, error)
	// Random returns a number in [0, 1) that spreads retries. It must be safe
	// for concurrent use. Nil means rand.Float64.
	Random func() float64
}

// Manager owns all sessions and every goroutine that touches them. Its
// methods are safe for concurrent use, and those that need a goroutine of the
// Manager return an error unless Run is running.
type Manager struct {
	store     *keystore.Store
	memory    bool
	log       *slog.Logger
	clock     *clock.Clock
	newClient func(oauth.Config) (*oauth.Client, error)
	random    func() float64
	journal   *journal.Journal
	pausing   sync.Mutex // held while a pause is saved and taken over; never locked while holding mu

	// mu guards what follows and every field of an account that says so. It
	// is never held across network or keychain.
	mu       sync.Mutex
	running  context.Context // Run's; nil outside of it
	wg       sync.WaitGroup  // counts the goroutines that Run waits for
	accounts map[string]*account
	limits   auth.Limits
	warnings auth.WarningLevel
	paused   bool
	strays   []stray
	closing  map[string]int // closed sessions that are not erased yet, by account

	revokedAt    map[binding.Grant]time.Time // a token was revoked there while a session lived: see learnReachLocked
	begun        chan struct{}               // closed by begin
	sessionEnded chan struct{}               // closed, and replaced, when a session ends
	watchers     map[chan []auth.Snapshot]struct{}
}

// New makes a Manager. It starts nothing; it reads the log of events and of
// ended sessions only.
func New(c Config) (*Manager, error) {
	if c.Store == nil {
		return nil, errors.New("engine: a Manager needs a store")
	}
	m := &Manager{
		store:     c.Store,
		limits:    auth.BuiltIn.Tighten(c.Limits),
		warnings:  cmp.Or(c.Warnings, auth.WarnAll),
		memory:    c.MemoryOnly,
		log:       c.Logger,
		clock:     c.Clock,
		newClient: c.NewClient,
		random:    c.Random,
		accounts:  map[string]*account{},
		watchers:  map[chan []auth.Snapshot]struct{}{},
		closing:   map[string]int{},

		revokedAt:    map[binding.Grant]time.Time{},
		sessionEnded: make(chan struct{}),
		begun:        make(chan struct{}),
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.clock == nil {
		m.clock = clock.New(nil, nil)
	}
	if m.newClient == nil {
		m.newClient = oauth.New
	}
	if m.random == nil {
		m.random = rand.Float64
	}
	var err error
	dir := c.StateDir
	if c.MemoryOnly { // nothing about anybody outlives the agent
		dir = ""
	}
	if m.journal, err = journal.Open(dir, m.log); err != nil {
		return nil, err
	}
	m.paused = m.journal.Paused()
	for _, a := range c.Accounts {
		acc, err := m.newAccount(a)
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", a.Name, err)
		}
		m.accounts[a.Name] = acc
	}
	return m, nil
}

// Run loads the sessions and keeps them until ctx ends, then finishes what
// must not be cut (a refresh whose request has left) and returns nil.
func (m *Manager) Run(ctx context.Context) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	m.logStrays()
	<-ctx.Done()
	m.locked(func() {
		m.running = nil
		for _, a := range m.accounts {
			if a.signIn != nil {
				a.signIn.cancel()
			}
		}
	})
	m.wg.Wait()
	m.journal.Close()
	return nil
}

// begin starts every goroutine and hands the stored sessions out.
func (m *Manager) begin(ctx context.Context) error {
	found := m.peek(m.store.Sessions())
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running != nil {
		return errors.New("engine: the Manager runs already")
	}
	m.running = ctx
	for _, a := range m.accounts {
		m.startLocked(a)
	}
	m.adoptLocked(found)
	for _, a := range m.accounts {
		a.loading = false
		a.poke()
	}
	m.wg.Go(func() { m.watchStore(ctx) })
	m.wg.Go(func() { m.journal.Run(ctx) })
	close(m.begun)
	return nil
}

// locked runs f with m.mu held. A panic in f, which the agent's API survives,
// leaves no lock behind.
func (m *Manager) locked(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// Begun waits until Run serves callers, or ctx ends.
func (m *Manager) Begun(ctx context.Context) {
	select {
	case <-m.begun:
	case <-ctx.Done():
	}
}

// Ready waits for the stored sessions of the named accounts, or of all
// accounts. It returns when they were loaded or could not be for now, or when
// ctx ends. Before that, snapshots know of no session.
func (m *Manager) Ready(ctx context.Context, names ...string) {
	var wanted []*account
	m.locked(func() {
		for name, a := range m.accounts {
			if len(names) == 0 || slices.Contains(names, name) {
				wanted = append(wanted, a)
			}
		}
	})
	for _, a := range wanted {
		select {
		case <-a.looked:
		case <-ctx.Done():
			return
		}
	}
}

// startLocked starts the goroutine that owns a's session.
func (m *Manager) startLocked(a *account) {
	ctx, stop := context.WithCancel(m.running)
	a.stop = stop
	m.wg.Go(func() {
		defer stop()
		a.run(ctx)
	})
}

// watchStore retries what waits for the keychain when that was unlocked, came
// back or changed. It then looks again at the sessions that could not be read.
func (m *Manager) watchStore(ctx context.Context) {
	changes := m.store.Changes(ctx)
	for {
		again := time.After(auth.UntilNext(time.Now(), time.Minute))
		select {
		case <-ctx.Done():
			return
		case <-changes:
			m.locked(m.retryStoreLocked)
		case <-again:
			m.adoptStrays()
		}
	}
}

func (m *Manager) retryStoreLocked() {
	for _, a := range m.accounts {
		now := a.clock.Now()
		if a.storeErr != nil && a.retry.err == nil {
			a.retry.at = now
		}
		a.storeAt = now
		if a.unsaved != nil {
			a.unsaved.at = time.Time{}
		}
		a.poke()
	}
}

// RetryKeychain makes every account look for the keychain again, which may be
// another one now.
func (m *Manager) RetryKeychain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retryStoreLocked()
}

// Snapshots returns every account's snapshot, by name.
func (m *Manager) Snapshots() []auth.Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.snapshotsLocked()
}

func (m *Manager) snapshotsLocked() []auth.Snapshot {
	all := make([]auth.Snapshot, 0, len(m.accounts))
	for _, name := range slices.Sorted(maps.Keys(m.accounts)) {
		all = append(all, m.accounts[name].snapshotLocked())
	}
	return all
}

// Snapshot returns one account's snapshot.
func (m *Manager) Snapshot(name string) (auth.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.accountLocked(name)
	if err != nil {
		return auth.Snapshot{}, err
	}
	return a.snapshotLocked(), nil
}

// Consent returns the setting of that name of an account; "" if there is none.
func (m *Manager) Consent(name string) (consent string) {
	m.locked(func() {
		if a := m.accounts[name]; a != nil {
			consent = a.config.Consent
		}
	})
	return consent
}

// Watch delivers all snapshots immediately and after every change. A slow
// reader gets the newest. The channel is closed when ctx ends.
func (m *Manager) Watch(ctx context.Context) <-chan []auth.Snapshot {
	ch := make(chan []auth.Snapshot, 1)
	m.locked(func() {
		m.watchers[ch] = struct{}{}
		ch <- m.snapshotsLocked()
	})
	context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watchers, ch)
		close(ch)
	})
	return ch
}

// publishLocked gives every watcher the present snapshots; one that has not
// read the last ones gets these in their place.
func (m *Manager) publishLocked() {
	if len(m.watchers) == 0 {
		return
	}
	all := m.snapshotsLocked()
	for ch := range m.watchers {
		select {
		case <-ch:
		default:
		}
		ch <- all
	}
}

// accountLocked finds an account or says which ones there are.
func (m *Manager) accountLocked(name string) (*account, error) {
	if a := m.accounts[name]; a != nil {
		return a, nil
	}
	hint := auth.Say("hint_add_account", auth.Clip(name, auth.MaxProgram))
	if len(m.accounts) > 0 {
		hint = auth.Say("hint_accounts", strings.Join(slices.Sorted(maps.Keys(m.accounts)), ", "))
	}
	return nil, auth.Fail(auth.KindUnknown, auth.Say("account_unknown", auth.Clip(name, auth.MaxProgram)), hint)
}

// Register asks the server of c for a client, and returns c with its client ID
// and the client's secret, if it has one. The caller has validated c.
func (m *Manager) Register(ctx context.Context, c auth.Account) (auth.Account, auth.Secret, error) {
	client, err := m.newClient(m.clientConfig(c, m.clock.Another()))
	if err != nil {
		return c, auth.Secret{}, auth.Fail(auth.KindBadRequest, auth.Words(err.Error()), auth.Say("hint_see_providers")).Because(err)
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	made, err := client.Register(ctx)
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		kind, hint := auth.KindRefused, auth.Say("hint_register")
		if isTransient(err) {
			kind, hint = auth.KindUnavailable, auth.Say("hint_check_network", c.Name)
		}
		return c, auth.Secret{}, auth.Fail(kind, failure.Text(e), hint).Because(err)
	} else if err != nil {
		return c, auth.Secret{}, err
	}
	if err := m.keepRegistration(ctx, c.Name, made.Manage); err != nil {
		m.log.Warn("a registration cannot be deleted later", "account", c.Name, "error", err)
	}
	c.ClientID, c.ClientSecretKeychain = made.ClientID, !made.Secret.IsZero()
	if made.ClientAuth != "" {
		c.ClientAuth = made.ClientAuth
	}
	return c, made.Secret, nil
}

// CheckAccount asks the account's server whether it can work, where the server
// has metadata and can be reached. The caller has validated c already.
func (m *Manager) CheckAccount(ctx context.Context, c auth.Account) error {
	client, err := m.newClient(m.clientConfig(c, m.clock.Another()))
	if err != nil {
		return auth.Fail(auth.KindBadRequest, auth.Words(err.Error()), auth.Say("hint_see_providers")).Because(err)
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	err = client.Check(ctx)
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return auth.Fail(auth.KindBadRequest, failure.Text(e), auth.Say("hint_check_account", c.Name)).Because(err)
	}
	return err
}

// checkLimit is how long a check may wait for the server.
const checkLimit = 5 * time.Second

// SetAccount adds an account or changes its configuration, which the caller has
// checked. A stored refresh token is bound to its issuer, its endpoints and its
// client. Those cannot change under a live session, since the token could then
// go elsewhere.
func (m *Manager) SetAccount(c auth.Account) error {
	c.Refresh = cmp.Or(c.Refresh, auth.InUse)
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.accounts[c.Name]
	if old != nil {
		if auth.SameAccount(old.config, c) {
			return nil
		}
		if binding.Of(old.config) != binding.Of(c) && old.signIn.running() {
			return auth.Fail(auth.KindBadRequest, auth.Say("sign_in_runs", c.Name), auth.Say("hint_sign_in_runs"))
		}
		if binding.Of(old.config) != binding.Of(c) && old.rec != nil {
			return auth.Fail(auth.KindBadRequest, auth.Say("live_session", c.Name), auth.Say("hint_sign_out_first", c.Name))
		}
	}
	fresh, err := m.newAccount(c)
	if err != nil {
		return err
	}
	switch {
	case old == nil:
		fresh.loading = false
		m.accounts[c.Name] = fresh
		m.adoptLocked(m.takeStraysLocked(func(rec keystore.Record) bool { return rec.Account == c.Name }))
		if m.running != nil {
			m.startLocked(fresh)
		}
	case binding.SameServer(old.config, c): // how it is refreshed does not concern the server
		old.config, old.forecastAt = fresh.config, time.Time{}
		old.poke()
	default:
		old.config, old.server, old.retry = fresh.config, fresh.server, retry{}
		old.poke()
	}
	m.journal.Add(auth.Event{At: m.clock.Now(), Account: c.Name, Kind: auth.EventConfig, Text: auth.Say("event_configured")})
	m.publishLocked()
	return nil
}

// Events returns the newest n events of an account, oldest first; name ""
// means all accounts.
func (m *Manager) Events(name string, n int) []auth.Event { return m.journal.Last(name, n) }

// Note adds a line to the log of an account.
func (m *Manager) Note(account string, text auth.Text) {
	m.journal.Add(auth.Event{At: m.clock.Now(), Account: account, Kind: auth.EventConfig, Text: text})
}

// Forecast says when the account's session will end if use goes on as it was,
// and what each refresh mode would cost. Errors are of type *Error.
func (m *Manager) Forecast(name string) (auth.ForecastReport, error) {
	in, err := m.forecastInput(name)
	if err != nil {
		return auth.ForecastReport{}, err
	}
	return auth.Forecast(in), nil
}

func (m *Manager) forecastInput(name string) (auth.ForecastInput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.accountLocked(name)
	if err != nil {
		return auth.ForecastInput{}, err
	}
	if a.rec == nil {
		return auth.ForecastInput{}, a.noSessionErrorLocked()
	}
	return a.forecastInputLocked(a.clock.Now()), nil
}

// SetGeneral changes what belongs to no account. It takes effect at once. Live
// sessions that exceed the new limits end, and no other is touched. Limits can
// only tighten the built-in ones.
func (m *Manager) SetGeneral(g auth.General) {
	m.mu.Lock()
	defer m.mu.Unlock()
	limits := auth.BuiltIn.Tighten(g.Limits)
	if limits != m.limits {
		m.log.Info("the limits change", "max_age", auth.FormatSpan(limits.MaxAge), "max_refreshes", limits.MaxRefreshes, "max_idle", limits.MaxIdle)
		for _, a := range m.accounts {
			a.forecastAt = time.Time{}
			a.poke()
		}
	}
	if w := cmp.Or(g.Warnings, auth.WarnAll); limits != m.limits || w != m.warnings {
		m.limits, m.warnings = limits, w
		m.publishLocked()
	}
}

// SetPaused pauses or resumes background refresh of all accounts, until it is
// called again: the next agent keeps to it. Programs that ask for a token
// still get one. After an error everything is as it was.
func (m *Manager) SetPaused(paused bool) error {
	m.pausing.Lock() // so that what is saved last is what holds
	defer m.pausing.Unlock()
	if err := m.journal.SetPaused(paused); err != nil {
		return auth.Fail(auth.KindFailed, auth.Say("pause_failed", err), auth.Say("hint_state_directory")).Because(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paused = paused
	for _, a := range m.accounts {
		a.poke()
	}
	m.publishLocked()
	return nil
}

// Wake makes every account check its clocks and retry what failed without a
// network. Call it when the machine has just woken up or the network has come
// back.
func (m *Manager) Wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.accounts {
		if a.retry.err != nil && a.retry.err.Class == oauth.NotSent {
			a.retry.at = a.clock.Now()
		}
		a.poke()
	}
}

// UnlockKeychain asks the person to unlock the keychain in the prompt of the
// OS. It then retries what waited for that.
func (m *Manager) UnlockKeychain(ctx context.Context) error {
	if err := m.store.Unlock(ctx); err != nil {
		return failure.Keychain(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retryStoreLocked()
	return nil
}

// KeychainStatus says whether the keychain can be used now, as an *Error; it
// never prompts.
func (m *Manager) KeychainStatus(ctx context.Context) error {
	if err := m.store.Status(ctx); err != nil {
		return failure.Keychain(err)
	}
	return nil
}

// pollInterval bounds every wait: Go's timers stand still while the machine
// is suspended, so nothing sleeps longer than this past a resume.
const pollInterval = 15 * time.Second
