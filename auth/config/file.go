package config

import "curfew/auth"

// File is the path of a config.toml, for callers that read and change it at
// different times. Callers keep its changes apart.
type File string

// Path is where the file is, or would be.
func (f File) Path() string { return string(f) }

// Load is [Load], in two parts.
func (f File) Load() (auth.General, []auth.Account, error) {
	s, err := Load(string(f))
	return s.General, s.Accounts, err
}

// Tidy is [Tidy].
func (f File) Tidy(a auth.Account) auth.Account { return Tidy(a) }

// CheckAccount is [CheckAccount].
func (f File) CheckAccount(a auth.Account) error { return CheckAccount(a) }

// SaveAccount is [SaveAccount].
func (f File) SaveAccount(a auth.Account) (undo func() error, err error) {
	return SaveAccount(string(f), a)
}

// DeleteAccount is [DeleteAccount].
func (f File) DeleteAccount(name string) error { return DeleteAccount(string(f), name) }

// SaveGeneral is [SaveGeneral].
func (f File) SaveGeneral(g auth.General) (undo func() error, err error) {
	return SaveGeneral(string(f), g)
}
