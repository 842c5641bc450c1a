"""Models that were stated in other frameworks: QNodes, EstimatorQNNs."""
