"""The audit log: who changed an alias, a schedule or a key, and who erased what."""
