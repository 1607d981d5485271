"""Use of a trained network: load, predict, explain, export, fine-tune."""
