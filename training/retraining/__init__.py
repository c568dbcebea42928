"""One retraining job, stage by stage."""
