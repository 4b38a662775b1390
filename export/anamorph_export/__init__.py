"""From a trained network to a gated, self-describing ONNX file."""
