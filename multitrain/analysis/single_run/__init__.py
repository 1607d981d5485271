"""Confusions, per-class accuracy and calibration of one training."""
