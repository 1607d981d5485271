"""What a person does with a trained network: load it, recognise, look inside, export."""
