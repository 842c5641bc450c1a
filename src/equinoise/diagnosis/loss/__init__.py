"""The diagnosis of a model: whether the gradient of its loss survives."""
