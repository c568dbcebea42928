"""Configuration tables: the settings in each table of a training's configuration, for files, the command line and REST."""

from collections.abc import Mapping

TABLES: Mapping[str, tuple[str, ...]] = {
    "columns": ("id", "time", "value", "decimal", "thousands", "date_format", "timezone", "sheet"),
    "fit": (
        "shape", "units", "layers", "dilations", "context_length", "encoder_length", "transform", "calendar",
        "synthetic_share", "batch_size", "learning_rate", "weight_decay", "clip_norm", "max_steps", "steps", "last_steps",
        "tuned_share", "steps_per_epoch", "max_seconds", "jit_compile", "validation_origins",
    ),
    "retrain": (
        "skill_below", "coverage_off", "drift", "decay", "new_observations", "window", "min_scores", "origins",
        "latency_margin", "latency_margin_ms", "latency_repeats", "live_scores", "warm_start", "timeout_seconds",
        "memory_mb",
    ),
}  # fmt: skip
"""Names of the settings, by table; a test compares them with the typed tables of a training."""
