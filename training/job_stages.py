"""Job stages: what a job's stages work with, and the two that are no part of a training: judge and watch."""
