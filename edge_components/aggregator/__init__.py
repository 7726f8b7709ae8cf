"""Adds up the ledger per hour and business date, into rollups.db."""
