"""Jobs: durable, scheduled retraining; the only importer of dbos in training."""
