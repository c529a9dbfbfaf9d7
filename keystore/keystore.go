// Package keystore keeps sealed records of sessions in the OS keychain and
// the state directory. It knows no OAuth: what it seals are opaque bytes.
//
// Its one hard idea is the durable order. A refresh is counted before its
// request leaves (Reserve), and what the request brought is durable before
// anybody is served (Commit), so that a crash at any instant neither loses a
// session nor makes a refresh uncounted.
//
// # What lies where
//
// A session has a random name, SID: 26 characters that say nothing. In the
// state directory (0700, one process at a time by a lock on the file "lock"):
//
//	SID.key     the file half of the key, 32 bytes, and whose session it is, in base64url, with a MAC (0600, like all)
//	SID.ledger  the ledger: one JSON line per event, each with its MAC
//	SID.end     only when a session was ended or refused without its keys
//	SID.gone    only while keychain items of an erased session may remain
//
// In the keychain, under one service name, ASCII only:
//
//	SID.k       the keychain half of the key, 32 bytes
//	SID.h       the high-water item: generation, used, step, sign-in, ended; with a MAC
//	SID.a.0...  the sealed secret of an odd generation, in chunks of 2,400 characters
//	SID.b.0...  the same of an even generation
//
// Both halves together, through HKDF-SHA256, give three keys: for the ledger,
// for the high-water item and for sealing (AES-256-GCM with a random nonce;
// the additional data are session, generation and purpose, so a sealed text
// opens in its own place only). A copy of the keychain alone, or of the home
// directory alone, yields no token, and deleting the file half makes every
// copy that a keychain, its history or its recycle bin keeps unreadable.
//
// # The ledger and the high-water item
//
// The ledger leads, the keychain follows. Every event that changes a count or
// a generation is one step: first a line, written and fsynced, then the
// high-water item, written, read back, and fsynced where the keychain has a
// directory that can be (a keychain's "stored" does not survive a power cut).
// Each line also says which step the keychain was last seen to hold. So the
// item must equal a step of the ledger from that one on: at rest the last, after
// a crash perhaps the one before. Everything else, above all an item that is
// ahead of its ledger, is ErrTampered (see legal in ledger.go).
//
//	Reserve  disk space for the answer; attempt line; high-water item.
//	         Then the request may leave.
//	Commit   got line with the sealed new secret.      Durable: callers may be served.
//	         idle slot, read back; high-water item; commit line;
//	         then the old slot and the ledger's copy are deleted.
//	Refund   refund line; high-water item. A refund is a step like any other: a put-back
//	         item or ledger from before or after it has the wrong step number.
//	End      end line; high-water item.
//
// Load finishes whatever a crash cut short. When the keychain cannot follow at
// once (it got locked during a refresh, or writes late), Commit still succeeds:
// the sealed secret is safe in the ledger, and the next call brings the keychain
// up, or waits for that. No new cycle starts before it.
//
// # What it protects against, and what it cannot
//
// It holds against another user of the machine, a stolen disk or backup
// without the login password, a leaked keychain export or D-Bus trace,
// crashes and power cuts, and the restoring of the ledger or of the keychain
// alone, which is noticed and refused. A keychain that loses what it took (one
// that saves later, after a power cut) looks put back, and is refused too.
//
// It cannot hold against a program that runs as you while the keychain is
// unlocked, nor against root. Putting back the ledger and the keychain both,
// as of the same instant (a snapshot of a virtual machine), looks exactly like
// that instant and is not noticed here: only a server that rotates refresh
// tokens notices it. Neither does it hold a SID.end file that is deleted before
// the keychain could be told of the end.
//
// Notes can be cut off the ledger's end unnoticed while the agent does not
// run, since they are no steps: a step costs two writes of the keychain, and
// notes are made all day. What they can take with them is the caller's facts
// since the last step and the time of that; no count, no generation and no
// end. So the caller must keep no fact in a note whose loss could loosen a
// rule (package auth: the last use, whose loss ends a session earlier; the time,
// which an agent that did not run would not know either; and what was said).
package keystore
