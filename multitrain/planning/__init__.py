"""Planning of the workflow: the outputs, the files of each job, and the settings and code that a job depends on."""
