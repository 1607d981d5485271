"""One training's answers: confusions and per-class accuracy with sample frames, calibration."""
