"""Jobs and schedules of retraining, as a client of DBOS."""
