"""The till: sells over HTTP; every sale is in an append-only, hash-chained ledger before it is answered."""

VERSION = "1.0.0"
