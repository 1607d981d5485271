"""Records of a run: a module for each file, with its schema, writer, reader and their errors."""
