"""A till's ledger as a file in hand, as from a dead Pi's card: checked, what the cloud lacks delivered."""
