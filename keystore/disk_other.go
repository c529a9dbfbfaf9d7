//go:build !linux

package keystore

import "os"

// allocate is for systems that can reserve space without changing a file's size.
func allocate(*os.File, int64, int64) error { return nil }
