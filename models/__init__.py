"""Models: what a forecast is. numpy and onnxruntime; no HTTP, MLflow, database or clock."""
