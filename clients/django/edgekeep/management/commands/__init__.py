"""``edgekeep_purge`` and ``edgekeep_warm``."""
