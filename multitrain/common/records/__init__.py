"""What a run leaves in its folder: one module a record, with its schema, its writer, its reader and their errors."""
