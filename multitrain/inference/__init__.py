"""Use of a trained network: load, predict, probe, export, fine-tune."""
