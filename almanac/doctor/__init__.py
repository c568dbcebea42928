"""What `almanac doctor` checks: one module for each kind of part; nothing is created or changed."""
