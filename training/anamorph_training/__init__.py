"""Networks, losses, data, loops and recipes: how the models are trained, with PyTorch."""
