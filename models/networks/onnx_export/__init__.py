"""Export: Keras networks as ONNX files."""
