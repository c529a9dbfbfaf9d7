// Package keystore keeps secrets so that they survive crashes and cannot be put
// back. It keeps refresh tokens, sealed, in the keychain of the OS and the
// state directory. It knows no OAuth. What it seals are opaque bytes.
//
// Its one hard idea is the durable order. A refresh is counted before its
// request leaves (Reserve), and what the request brought is durable before
// anybody is served (Commit). So a crash at any instant neither loses a
// session nor makes a refresh uncounted.
//
// # What is where
//
// A session has a random name, SID, of 26 characters that say nothing. The
// state directory has mode 0700 and its files have 0600. One process at a time
// uses it, by a lock on the file "lock". Of a session it holds:
//
//	SID.key     the file half of the key, 32 bytes, and the account, in base64url, with a MAC
//	SID.ledger  the ledger: one JSON line per event, each with its MAC
//	SID.end     only when a session was ended or refused without its keys
//	SID.gone    only while keychain items of an erased session may remain
//
// The keychain holds, under one service name and in ASCII only:
//
//	SID.k       the keychain half of the key, 32 bytes
//	SID.h       the high-water item: generation, used, step, sign-in, ended; with a MAC
//	SID.a.0...  the sealed secret of an odd generation, in chunks of 2,400 characters
//	SID.b.0...  the same of an even generation
//
// Named secrets (PutSecret) are kept in the same way.
//
// Both halves together give three keys, through HKDF-SHA256. One is for the
// ledger, one for the high-water item and one for sealing, which is AES-256-GCM
// with a random nonce. Its additional data are session, generation and purpose,
// so a sealed text opens in its own place only. A copy of the keychain alone
// yields no token, nor does one of the home directory. Keychains keep histories
// and recycle bins. Deleting the file half makes all those copies unreadable.
//
// # The ledger and the high-water item
//
// The ledger leads, the keychain follows. Every event that changes a count or
// a generation is one step. First its line is written and fsynced. Then the
// high-water item is written and read back. Then the keychain's directory is
// fsynced where there is one, because a keychain's "stored" does not survive a
// power cut. Each line also says which step the keychain was last seen to hold.
//
// So the item must equal a step of the ledger from that one on: at rest the
// last, after a crash perhaps the one before. Everything else is ErrTampered,
// above all an item that is ahead of its ledger (see legal in ledger.go).
//
//	Reserve  disk space for the answer; attempt line; high-water item.
//	         Then the request may leave.
//	Commit   got line with the sealed new secret. Durable: callers may be served.
//	         Then, behind the caller's back: idle slot, read back; high-water item;
//	         commit line. Then the old slot and the ledger's copy are deleted.
//	Refund   refund line; high-water item. A refund is a step like any other, so
//	         what is put back from before or after it has the wrong step number.
//	End      end line; high-water item.
//
// Load finishes whatever a crash cut short. The keychain may be unable to follow
// at once, because it got locked during a refresh or writes late. Commit succeeds
// all the same, with the sealed secret safe in the ledger. The next call waits for
// the keychain or brings it up to date. No new cycle starts before that.
//
// # What it protects against, and what it cannot
//
// It holds against another user of the machine, and against a stolen disk or
// backup without the login password. It holds against a leaked keychain export
// or D-Bus trace, and against crashes and power cuts. That the ledger or the
// keychain alone was restored is noticed and refused. A keychain that saves late
// and loses that in a power cut looks put back, and is refused too.
//
// It cannot hold against a program that runs as you while the keychain is
// unlocked, nor against root. When ledger and keychain are both put back as of
// the same instant, for instance with a virtual machine, that looks exactly like
// that instant. Only a server that rotates refresh tokens notices it. Nor does it
// hold a SID.end file that is deleted before the keychain learned of the end.
//
// Notes can be cut off the ledger's end unnoticed while the agent does not run.
// They are not steps, because a step costs two writes of the keychain and notes
// are made all day. With them go the caller's facts since the last step and the
// time of that, but no count, no generation and no end. So the caller must keep
// no fact in a note whose loss could loosen a rule. Package auth/engine keeps
// three kinds. One is the last use, whose loss ends a session earlier. One is
// the time, which an agent that did not run would not know either. The third is
// what was said to a person.
package keystore
