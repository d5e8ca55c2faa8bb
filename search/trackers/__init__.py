"""Where people keep their runs: each ended trial goes to TensorBoard, MLflow or Weights & Biases as well."""
